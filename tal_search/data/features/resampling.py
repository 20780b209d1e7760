"""Linear interpolation along time, the one used for features and for class activation sequences alike."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.floating[Any])


def resample(sequence: NDArray[Kind], length: int) -> NDArray[Kind]:
    """[..., T] to [..., length]: half-pixel centres, edges held; computed in the sequence's own dtype."""
    return interpolate(sequence, (np.arange(length) + 0.5) * sequence.shape[-1] / length - 0.5)


def interpolate(sequence: NDArray[Kind], position: NDArray[np.float64]) -> NDArray[Kind]:
    """[..., T] at each position (0 the first element's middle, T − 1 the last's), edges held: [..., len(position)]."""
    stored = sequence.shape[-1]
    position = np.clip(position, 0, stored - 1)
    left = np.minimum(position.astype(np.int64), max(stored - 2, 0))
    right = np.minimum(left + 1, stored - 1)
    share = (position - left).astype(sequence.dtype)
    interpolated: NDArray[Kind] = sequence[..., left] * (1 - share) + sequence[..., right] * share
    return interpolated
