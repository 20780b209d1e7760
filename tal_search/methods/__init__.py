"""What a method is, and how one is found: a method is a file of this folder, its name the file's name.

A method's module imports without torch, so that a study can be read and previewed in a fraction of a second. It holds
a frozen dataclass `Hyperparameters` (fields made by `tal_search.hyperparameters.hyper`), `PRESETS` (dataset name →
preset name → settings that differ from the defaults) and one class `METHOD`, a final subclass of `Method`.
"""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tal_search.localization import Inference
from tal_search.types import Detections, VideoSet

if TYPE_CHECKING:
    import torch

FOLDER = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Phase:
    """A named part of every epoch: trains the parameters whose names start with one of `parameters`."""

    name: str
    parameters: tuple[str, ...] = ("",)


@dataclasses.dataclass(frozen=True)
class Batch:
    """Videos of one step, on the network's device.

    features float32 [B, D, T]; labels float32 [B, C]; background_clicks bool [B, T].
    """

    features: torch.Tensor
    labels: torch.Tensor
    background_clicks: torch.Tensor


class Method(ABC):
    """A network with its losses and its way to detections. Concrete methods are final."""

    supervision: ClassVar[tuple[str, ...]]
    phases: ClassVar[tuple[Phase, ...]]
    network: torch.nn.Module
    hyperparameters: Any

    @abstractmethod
    def __init__(self, hyperparameters: Any, channels: int, classes: int) -> None: ...

    @abstractmethod
    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """Scalar losses by name; "total" is the one to minimise."""

    @abstractmethod
    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:
        """Localize every video of a set."""


def available() -> list[str]:
    """Names of the methods, from the files beside this one."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def declaration(name: str) -> Any:
    """The method's module: `Hyperparameters`, `PRESETS`, `METHOD`. Imports no torch."""
    assert name in available(), name
    return importlib.import_module(f"tal_search.methods.{name}")
