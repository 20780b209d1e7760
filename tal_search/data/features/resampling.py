"""Linear interpolation along time, of features and of class activation sequences."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.floating)


def resample(sequence: NDArray[Kind], length: int) -> NDArray[Kind]:
    """[..., T] to [..., length]: half-pixel centres, edges held; computed in the dtype of the sequence."""
    return interpolate(sequence, (np.arange(length) + 0.5) * sequence.shape[-1] / length - 0.5)


def interpolate(sequence: NDArray[Kind], position: NDArray[np.float64]) -> NDArray[Kind]:
    """[..., T] to [..., len(position)]: values at positions 0 (middle of the first element) to T − 1, edges held."""
    stored = sequence.shape[-1]
    position = np.clip(position, 0, stored - 1)
    left = np.minimum(position.astype(np.int64), max(stored - 2, 0))
    right = np.minimum(left + 1, stored - 1)
    share = (position - left).astype(sequence.dtype)
    interpolated: NDArray[Kind] = sequence[..., left] * (1 - share) + sequence[..., right] * share
    return interpolated
