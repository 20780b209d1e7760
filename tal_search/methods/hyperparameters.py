"""Hyperparameters that every method has: the length of training, its optimizer and schedule."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self, final

from tal_search.fields import hyper

OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("constant", "cosine", "one_cycle")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodHyperparameters(ABC):
    """Hyperparameters of a method. Each method derives its own; every field (`tal_search.fields.hyper`) can be an axis.

    A fit trains for `epochs`. A method with a field `steps` may leave `epochs` None: `trained_on` then computes them,
    so that a fit takes the same number of steps on every dataset.
    """

    optimizer: str = hyper(
        "adam", "optimizer", choices=OPTIMIZERS, help="adamw = decoupled decay, of weights only: no bias, norm, scale"
    )
    schedule: str = hyper(
        "constant", "schedule", choices=SCHEDULES, help="of the learning rate; all but constant fall to final_rate"
    )
    warm_up: float | None = hyper(
        None, "warm-up", low=0, below=1, help="share of the steps; None = 0.2, or 0 where schedule is constant"
    )
    final_rate: float = hyper(0.0, "lr_end/lr", low=0, high=1, help="the last learning rate, as a share of the highest")
    clip_norm: float | None = hyper(
        None, "‖g‖_max", above=0, help="greatest L2 norm of a step's gradient; None = not clipped"
    )
    ema_decay: float | None = hyper(
        None, "EMA", above=0, below=1, help="of the average of the weights that is evaluated; None = no average"
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

    @property
    def unread(self) -> dict[str, str]:
        """Hyperparameters that the others leave without an effect, each with the reason and the fix."""
        if self.schedule != "constant":
            return {}
        falling = " or ".join(name for name in SCHEDULES if name != "constant")
        return {"final_rate": f"schedule is constant, which does not fall; give schedule {falling}, or remove it"}

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
