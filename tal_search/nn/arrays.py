"""Conversion between NumPy arrays and tensors, and batched evaluation of a network."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

EVALUATION_BATCH = 16


def tensor(array: NDArray[np.generic]) -> torch.Tensor:
    """A tensor that shares the array's memory, which may be a read-only memory map: do not write to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def full(values: torch.Tensor) -> torch.Tensor:
    """Cast to float32, or keep float64: for normalisations and losses under mixed precision."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def evaluated(
    network: torch.nn.Module,
    features_NDT: NDArray[np.floating],
    outputs: Callable[[torch.Tensor], tuple[torch.Tensor, ...]],
) -> list[NDArray[np.floating]]:
    """Apply `outputs`, from [B, D, T] to tensors [B, ...], to batches of all videos and join the results as arrays.

    Without gradients, on the network's device and in its precision; the network is left in evaluation mode.
    """
    weight = next(network.parameters())
    network.eval()
    with torch.no_grad():
        parts = [
            outputs(tensor(features_NDT[first : first + EVALUATION_BATCH]).to(weight.device, weight.dtype))
            for first in range(0, len(features_NDT), EVALUATION_BATCH)
        ]
    return [torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)]
