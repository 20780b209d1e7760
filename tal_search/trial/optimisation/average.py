"""Exponential moving average of the weights (Polyak and Juditsky, 1992), kept beside those that are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

if TYPE_CHECKING:
    from tal_search.methods.base import Method, Phase


class AverageState(TypedDict):
    """An average in a checkpoint: steps by phase, and averaged tensors by name, on the CPU."""

    steps: dict[str, int]
    tensors: dict[str, torch.Tensor]


class WeightAverage:
    """Average of each parameter over the steps of the phase that trains it; a step that is a steps old has decay^a.

    The shares are scaled to a sum of 1. So the initial weights have none, and while there are few steps the average is
    close to their mean (as in Adam's bias correction; an average that starts at the initial weights would still hold
    decay^n of them after n steps). Buffers of floating point under a phase's names are averaged alike; other buffers,
    such as counters, are those of the trained network.
    """

    def __init__(self, method: Method, decay: float) -> None:
        self.network, self.decay = method.network, decay
        current = self._current()
        self.names = {
            phase.name: [name for name, tensor in current.items() if _averaged(phase, name, tensor)]
            for phase in method.phases
        }
        self.steps = dict.fromkeys(self.names, 0)
        every = {name for names in self.names.values() for name in names}
        self.tensors = {name: tensor.detach().clone() for name, tensor in current.items() if name in every}

    def _current(self) -> dict[str, torch.Tensor]:
        return {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}

    def update(self, phase: Phase) -> None:
        """Take in the weights after a step of the phase."""
        self.steps[phase.name] += 1
        share = (1 - self.decay) / (1 - self.decay ** self.steps[phase.name])  # of the newest; 1 at the first step
        names, current = self.names[phase.name], self._current()
        update = get_ema_multi_avg_fn(1 - share)  # type: ignore[no-untyped-call]
        update([self.tensors[name] for name in names], [current[name] for name in names], self.steps[phase.name])

    @contextmanager
    def in_network(self) -> Iterator[None]:
        """Give the network the averaged weights, and back its own at the end."""
        current = self._current()
        trained = {name: current[name].detach().clone() for name in self.tensors}
        _copy(self.tensors, current)
        try:
            yield
        finally:
            _copy(trained, current)

    def state(self) -> AverageState:
        """A copy, on the CPU."""
        tensors = {name: tensor.cpu().clone() for name, tensor in self.tensors.items()}
        return {"steps": dict(self.steps), "tensors": tensors}

    def load_state(self, state: AverageState) -> None:
        self.steps = dict(state["steps"])
        _copy(state["tensors"], self.tensors)


def _averaged(phase: Phase, name: str, tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and name.startswith(phase.parameters)


def _copy(source: Mapping[str, torch.Tensor], target: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in source.items():
            target[name].copy_(tensor)
