"""Interface of a method: its specification, hyperparameters and presets, and the network a trial fits.

The modules of methods import torch only inside functions, so that reading and previewing a study takes a fraction of a
second.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

from tal_search.data.definition import PresetChange
from tal_search.data.truth.facts import Facts
from tal_search.fields import hyper
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.types import Detections, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.localization.activations import Activations

SCHEDULES = ("constant", "cosine")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodHyperparameters(ABC):
    """Hyperparameters of a method. Each method derives its own; every field (`tal_search.fields.hyper`) can be an axis.

    A fit trains for `epochs`. A method with a field `steps` may leave `epochs` None: `trained_on` then computes them,
    so that a fit takes the same number of steps on every dataset.
    """

    schedule: str = hyper(
        "constant", "schedule", choices=SCHEDULES, help="of the learning rate; cosine = short warm-up, then down to 0"
    )

    @property
    @abstractmethod
    def epochs(self) -> int | None: ...

    @property
    def steps(self) -> int | None:
        """Optimizer steps, one batch each; None for methods that count epochs only."""
        return None

    @property
    @abstractmethod
    def batch_size(self) -> int: ...

    @property
    @abstractmethod
    def learning_rate(self) -> float: ...

    @property
    @abstractmethod
    def weight_decay(self) -> float: ...

    @property
    @abstractmethod
    def supervision(self) -> tuple[str, ...]:
        """The kinds of annotation that a trial with these settings reads, constants of `tal_search.types`."""

    @final
    def trained_on(self, videos: int) -> Self:
        """A copy with both `epochs` and `steps` set for this number of training videos.

        If `epochs` is None, it becomes the fewest whole epochs with at least `steps` steps. The last, smaller batch of
        an epoch counts as a step.
        """
        if self.steps is None:
            return self
        batches = max(1, math.ceil(videos / self.batch_size))
        epochs = self.epochs or math.ceil(self.steps / batches)
        length: dict[str, Any] = {"epochs": epochs, "steps": epochs * batches}
        return dataclasses.replace(self, **length)


def layered(*layers: Mapping[str, object]) -> dict[str, Any]:
    """Hyperparameters by name; later layers override earlier ones, and `steps` an earlier `epochs` or vice versa."""
    merged: dict[str, object] = {}
    for layer in layers:
        if layer.get("steps") is not None:
            merged["epochs"] = None
        elif layer.get("epochs") is not None:
            merged.pop("steps", None)
        merged |= layer
    return merged


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings by name: T `snippets`, and the values that differ from the defaults of method and inference.

    snippets None: those of the dataset's definition, else as `Facts.snippets`. lengths: hyperparameters of a generic
    preset that count epochs of all training videos; a fit on fewer of them, within a budget, takes as many steps.
    """

    snippets: int | None = None
    hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inference: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lengths: tuple[str, ...] = ()

    def changed(self, change: PresetChange) -> Preset:
        """This preset with the changes of a dataset."""
        return Preset(
            snippets=self.snippets if change.snippets is None else change.snippets,
            hyperparameters=layered(self.hyperparameters, change.hyperparameters),
            inference={**self.inference, **change.inference},
            lengths=self.lengths_beside(change.hyperparameters),
        )

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

    def build(self, hyperparameters: Mapping[str, object], channels: int, classes: int) -> Method:
        """The method for D `channels` and C `classes`; hyperparameters that are not given take their defaults."""
        return self.method(self.configured(hyperparameters), channels, classes)


@dataclasses.dataclass(frozen=True)
class Phase:
    """One pass of an epoch: Adam trains the parameters whose names start with one of `parameters`.

    `learning_rate` is the name of the hyperparameter that gives the rate.
    """

    name: str
    parameters: tuple[str, ...] = ("",)
    betas: tuple[float, float] = (0.9, 0.999)
    learning_rate: str = "learning_rate"


@dataclasses.dataclass(frozen=True)
class Batch:
    """The videos of one training step, on the network's device.

    rows int64 [B], indices into the training set; features float32 [B, D, T]; labels float32 [B, C];
    background_clicks bool [B, T]; action_clicks bool [B, C, T]; segments float32 [B, K, 2] in snippets (0 to T), with
    segment_labels int64 [B, K], -1 where a video has fewer than K. Supervision that the method does not declare is
    empty.
    """

    rows: torch.Tensor
    features: torch.Tensor
    labels: torch.Tensor
    background_clicks: torch.Tensor
    action_clicks: torch.Tensor
    segments: torch.Tensor
    segment_labels: torch.Tensor


class Method(ABC):
    """A network with its losses and its localization. Concrete methods are final."""

    supervision: ClassVar[tuple[str, ...]]  # all kinds that any of its settings may read
    phases: ClassVar[tuple[Phase, ...]]
    restarts: ClassVar[bool] = False  # whether `prepare` may ask for the initial weights
    network: torch.nn.Module
    hyperparameters: MethodHyperparameters
    # State kept between epochs besides the weights (pseudo-labels, proposals); part of a checkpoint.
    memory: Mapping[str, torch.Tensor] = MappingProxyType({})

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
