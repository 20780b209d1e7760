"""Arrays to tensors, and a network's outputs back to arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

EVALUATION_BATCH = 16


def tensor(array: NDArray[Any]) -> torch.Tensor:
    """A tensor on the array's own memory, which may be a file mapped for reading: it is not to be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def full(values: torch.Tensor) -> torch.Tensor:
    """At least float32: float64 stays what it is. For normalisations and losses under mixed precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def evaluated(
    network: torch.nn.Module,
    features_NDT: NDArray[np.floating],
    outputs: Callable[[torch.Tensor], tuple[torch.Tensor, ...]],
) -> list[NDArray[Any]]:
    """What `outputs` makes of a few videos at a time, [B, D, T] to tensors [B, ...], as arrays over all of them.

    Without gradients, on the network's device and in its precision, the network in evaluation mode.
    """
    weight = next(network.parameters())
    network.eval()
    with torch.no_grad():
        parts = [
            outputs(tensor(features_NDT[first : first + EVALUATION_BATCH]).to(weight.device, weight.dtype))
            for first in range(0, len(features_NDT), EVALUATION_BATCH)
        ]
    return [torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)]
