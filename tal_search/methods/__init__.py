"""What a method is, and how one is found: a method is a file of this folder, its name the file's name.

A method's module imports without torch, so that a study can be read and previewed in a fraction of a second. It holds
a frozen dataclass `Hyperparameters` (fields made by `tal_search.fields.hyper`), `PRESETS` (dataset name →
preset name → settings that differ from the defaults) and one class `METHOD`, a final subclass of `Method`.
"""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tal_search.localization.inference import Inference
from tal_search.types import Detections, VideoSet

if TYPE_CHECKING:
    import torch

FOLDER = Path(__file__).parent


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

    supervision: ClassVar[tuple[str, ...]]
    phases: ClassVar[tuple[Phase, ...]]
    restarts: ClassVar[bool] = False  # whether `prepare` may ask for the initial weights
    network: torch.nn.Module
    hyperparameters: Any

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


def available() -> list[str]:
    """Names of the methods, from the files beside this one."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


@cache
def declaration(name: str) -> Any:
    """The method's module: `Hyperparameters`, `PRESETS`, `METHOD`. Imports no torch."""
    assert name in available(), name
    return importlib.import_module(f"tal_search.methods.{name}")
