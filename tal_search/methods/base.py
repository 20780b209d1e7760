"""What a method is: its specification, and the network with losses and localization that a trial fits.

A method's module imports without torch, so that a study is read and previewed in a fraction of a second.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

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
    """What a study may set of a method. Each method derives its own; fields are made by `tal_search.fields.hyper`.

    A training is as long as `epochs` says. A method with a field `steps` may leave its `epochs` None: `trained_on` then
    gives them, so that a training has as many steps on every data set.
    """

    schedule: str = hyper(
        "constant", "schedule", choices=SCHEDULES, help="of the learning rate; cosine = short warm-up, then down to 0"
    )

    @property
    @abstractmethod
    def epochs(self) -> int | None: ...

    @property
    def steps(self) -> int | None:
        """Steps of the optimizer, a batch each; None of methods that count epochs alone."""
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
        """The kinds of annotation that a trial with these settings reads, words of `tal_search.types`."""

    @final
    def trained_on(self, videos: int) -> Self:
        """The same with its length on so many training videos, in epochs and in steps.

        `epochs` that are None become the fewest whole ones of at least `steps` steps. An epoch's last batch, of the
        videos that are left, is a step like the others.
        """
        if self.steps is None:
            return self
        batches = max(1, math.ceil(videos / self.batch_size))
        epochs = self.epochs or math.ceil(self.steps / batches)
        length: dict[str, Any] = {"epochs": epochs, "steps": epochs * batches}
        return dataclasses.replace(self, **length)


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters by name, later layers over earlier ones; steps replace epochs given before, and the reverse."""
    found: dict[str, Any] = {}
    for layer in layers:
        if layer.get("steps") is not None:
            found["epochs"] = None
        elif layer.get("epochs") is not None:
            found.pop("steps", None)
        found |= layer
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings for one data set: T `snippets`, and what differs from the method's and the localization's defaults."""

    snippets: int
    hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inference: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodSpecification:
    """What other rooms know of a method; its module holds one as SPECIFICATION.

    presets: by data set and name. "paper" or "release" has every setting of that source, "adapted" has not
    (docs/methods.md says where it differs), "simulated" is for the stand-in. Each is built once here, so that a setting
    that there is not raises TypeError as soon as the module is imported.
    """

    method: type[Method]
    hyperparameters: type[MethodHyperparameters]
    presets: Mapping[str, Mapping[str, Preset]]

    def __post_init__(self) -> None:
        for presets in self.presets.values():
            for preset in presets.values():
                self.hyperparameters(**preset.hyperparameters)
                Inference(**preset.inference)

    @property
    def has_activations(self) -> bool:
        """Whether it localizes from class activation sequences, which a trial keeps to be scored again."""
        return issubclass(self.method, ActivationMethod)

    def configured(self, *layers: Mapping[str, Any]) -> MethodHyperparameters:
        """The hyperparameters of several layers, see `layered`; what none gives has its default."""
        return self.hyperparameters(**layered(*layers))

    @property
    def has_streams(self) -> bool:
        """Whether its activations are of two streams each for itself, as the inference rule streams needs."""
        return issubclass(self.method, ActivationMethod) and self.method.streams

    def build(self, hyperparameters: Mapping[str, Any], channels: int, classes: int) -> Method:
        """The method for D `channels` and C `classes`; hyperparameters that are not given have their defaults."""
        return self.method(self.hyperparameters(**hyperparameters), channels, classes)


@dataclasses.dataclass(frozen=True)
class Phase:
    """A named part of an epoch: trains the parameters whose names start with one of `parameters`, by Adam.

    `learning_rate` is the name of the hyperparameter that holds it.
    """

    name: str
    parameters: tuple[str, ...] = ("",)
    betas: tuple[float, float] = (0.9, 0.999)
    learning_rate: str = "learning_rate"


@dataclasses.dataclass(frozen=True)
class Batch:
    """Videos of one step, on the network's device.

    rows int64 [B], the videos' places in the training set; features float32 [B, D, T]; labels float32 [B, C];
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
    """A network with its losses and its way to detections. Concrete methods are final."""

    supervision: ClassVar[tuple[str, ...]]  # all that any settings of it may read
    phases: ClassVar[tuple[Phase, ...]]
    restarts: ClassVar[bool] = False  # whether `prepare` may ask for the initial weights
    network: torch.nn.Module
    hyperparameters: MethodHyperparameters

    @abstractmethod
    def __init__(self, hyperparameters: Any, channels: int, classes: int) -> None: ...

    def active(self, epoch: int) -> tuple[Phase, ...]:  # noqa: ARG002
        """The phases that epoch `epoch` (from 1) trains, each with a pass over the videos."""
        return self.phases

    def prepare(self, epoch: int, batches: Callable[[], Iterator[Batch]]) -> bool:  # noqa: ARG002
        """What a method does between epochs: called before each, without gradients, the network in evaluation mode.

        `batches` gives the training videos in order, as often as it is called. What the method keeps for later epochs
        goes into `memory`. True: weights and optimizers begin anew, as at the first epoch.
        """
        return False

    @property
    def memory(self) -> dict[str, torch.Tensor]:
        """What the method keeps between epochs besides its weights (pseudo-labels, proposals); part of a checkpoint."""
        return {}

    @memory.setter
    def memory(self, memory: dict[str, torch.Tensor]) -> None:
        assert not memory, "this method keeps nothing between epochs"

    @abstractmethod
    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """Scalar losses by name; "total" is the one to minimise."""

    @abstractmethod
    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:
        """Localize every video of a set."""


class ActivationMethod(Method):
    """A method that localizes from class activation sequences."""

    streams: ClassVar[bool] = False  # whether its activations have those of RGB and flow each for itself

    @abstractmethod
    def activations(self, videos: VideoSet) -> Activations:
        """What localization reads of the videos of a set."""

    @final
    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:
        return localize(self.activations(videos), classes, inference)
