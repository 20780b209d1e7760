"""Interface of a method: its specification and presets, and the network a trial fits.

Modules of methods import torch only inside functions, so that a study is read and previewed in a fraction of a second.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, final

from tal_search.data.definition import PresetChange
from tal_search.data.sampling.settings import PERTURBED, RANDOM, RESCALE, UNIFORM, Sampling
from tal_search.data.truth.facts import Facts
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.methods.hyperparameters import MethodHyperparameters, layered
from tal_search.nn.batch import Batch
from tal_search.types import Detections, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.localization.activations import Activations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings by name: T `snippets`, the sampling, and what differs from the defaults of method and inference.

    snippets None: those of the dataset's definition, else as `Facts.snippets`. lengths: hyperparameters of a generic
    preset that count epochs of all training videos; a fit on fewer of them, within a budget, takes as many steps.
    """

    snippets: int | None = None
    sampling: Sampling = dataclasses.field(default_factory=Sampling)
    hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inference: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lengths: tuple[str, ...] = ()

    def changed(self, change: PresetChange) -> Preset:
        """This preset with the changes of a dataset."""
        snippets = self.snippets if change.snippets is None else change.snippets
        return Preset(
            snippets=snippets, sampling=self.sampling.changed(change.sampling),
            hyperparameters=layered(self.hyperparameters, change.hyperparameters),
            inference={**self.inference, **change.inference},
            lengths=self.lengths_beside(change.hyperparameters),
        )  # fmt: skip

    def lengths_beside(self, given: Mapping[str, object]) -> tuple[str, ...]:
        """The lengths that settings of a later layer do not give."""
        return tuple(name for name in self.lengths if name not in given)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodSpecification:
    """Everything that other packages use of a method; the method's module defines it as SPECIFICATION.

    presets: by name. "paper" or "release" has every setting of that source, "adapted" differs from it (docs/methods.md
    lists where), "simulated" is for the simulated stand-in; the file of a dataset states which of the first three it
    has and what they change there. generic: the preset of any other dataset, from facts of its ground truth. Each
    preset is built once here, so that an unknown setting raises TypeError as soon as the module is imported.
    """

    method: type[Method]
    hyperparameters: type[MethodHyperparameters]
    presets: Mapping[str, Preset]
    generic: Callable[[Facts], Preset]

    def __post_init__(self) -> None:
        for preset in self.presets.values():
            self.configured(preset.hyperparameters)
            Inference(**preset.inference)

    @property
    def has_activations(self) -> bool:
        """Whether it localizes from class activation sequences, which a trial keeps for rescoring."""
        return issubclass(self.method, ActivationMethod)

    def configured(self, *layers: Mapping[str, object]) -> MethodHyperparameters:
        """The hyperparameters of several layers, see `layered`; defaults where no layer sets a value."""
        return self.hyperparameters(**layered(*layers))

    @property
    def has_streams(self) -> bool:
        """Whether its activations keep RGB and flow apart, as the inference rule streams needs."""
        return issubclass(self.method, ActivationMethod) and self.method.streams

    def build(
        self, hyperparameters: Mapping[str, object], channels: int, classes: int, streams: Sequence[int] = ()
    ) -> Method:
        """The method for D `channels` and C `classes`; hyperparameters that are not given take their defaults."""
        configured = self.configured(hyperparameters)
        if issubclass(self.method, TwoStreamMethod):
            return self.method(configured, channels, classes, streams)
        return self.method(configured, channels, classes)


@dataclasses.dataclass(frozen=True)
class Phase:
    """One pass of an epoch, whose optimizer trains the parameters with names that start with one of `parameters`.

    `learning_rate` is the name of the hyperparameter that gives the rate.
    """

    name: str
    parameters: tuple[str, ...] = ("",)
    betas: tuple[float, float] = (0.9, 0.999)
    learning_rate: str = "learning_rate"


class Method(ABC):
    """A network with its losses and its localization. Concrete methods are final."""

    supervision: ClassVar[tuple[str, ...]]  # all kinds that any of its settings may read
    phases: ClassVar[tuple[Phase, ...]]
    samplings: ClassVar[tuple[str, ...]] = (RESCALE, UNIFORM, PERTURBED, RANDOM)  # kinds that it can train with
    restarts: ClassVar[bool] = False  # whether `prepare` may ask for the initial weights
    reads_streams: ClassVar[bool] = False  # whether its network reads RGB and flow apart
    network: torch.nn.Module
    hyperparameters: MethodHyperparameters
    memory: Mapping[str, torch.Tensor] = MappingProxyType({})  # state besides the weights, part of a checkpoint

    @abstractmethod
    def __init__(self, hyperparameters: MethodHyperparameters, channels: int, classes: int) -> None: ...

    def active(self, epoch: int) -> tuple[Phase, ...]:  # noqa: ARG002
        """The phases that epoch `epoch` (from 1) trains, each with a pass over the videos."""
        return self.phases

    def prepare(self, epoch: int, batches: Callable[[], Iterator[Batch]]) -> bool:  # noqa: ARG002
        """Hook before every epoch, without gradients and with the network in evaluation mode.

        `batches` iterates over the training videos in order, each time it is called. State for later epochs goes into
        `memory`. Returns True to restart from the initial weights with new optimizers.
        """
        return False

    @abstractmethod
    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """Scalar losses by name; "total" is minimised."""

    @abstractmethod
    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:
        """Localize every video of a set."""


class ActivationMethod(Method):
    """A method that localizes from class activation sequences."""

    streams: ClassVar[bool] = False  # whether its activations keep RGB and flow apart

    @abstractmethod
    def activations(self, videos: VideoSet) -> Activations:
        """Class activation sequences and video scores of a set of videos."""

    @final
    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:
        return localize(self.activations(videos), classes, inference)


class TwoStreamMethod(ActivationMethod):
    """A method that reads RGB and flow apart; streams: how many channels each has, RGB first, see `both_streams`."""

    reads_streams = True

    @abstractmethod
    def __init__(
        self, hyperparameters: MethodHyperparameters, channels: int, classes: int, streams: Sequence[int] = ()
    ) -> None: ...
