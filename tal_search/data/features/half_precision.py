"""Features in half precision, which halves their memory, if rounding changes them by less than MOST_LOST."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tal_search.types import VideoSet

# Share of a video's norm that rounding may change; to float16 it is about 2e-4 for values from 6e-5 to 65504.
# (To bfloat16 it would be 2e-3.)
MOST_LOST = 1e-3


def in_half(videos: VideoSet, notes: list[str]) -> VideoSet:
    """The videos with features in float16; unchanged, with a note, where that would change one of them too much.

    The limit is MOST_LOST: features above 65504 would become infinite, those below 6e-5 coarse or zero.
    """
    half_NDT = np.empty(videos.features.shape, np.float16)
    for row, features_DT in enumerate(videos.features):
        try:
            half_NDT[row] = halved(features_DT, videos.videos[row])
        except TooCoarse as error:
            notes.append(str(error))
            return videos
    return replace(videos, features=half_NDT)


class TooCoarse(ValueError):
    """A video that float16 would change too much."""


def halved(features_DT: np.ndarray, video: str) -> NDArray[np.float16]:
    """One video's features in float16. Raises TooCoarse."""
    with np.errstate(over="ignore"):
        half_DT = features_DT.astype(np.float16)
    if not _lost(half_DT, features_DT) <= MOST_LOST:
        raise TooCoarse(
            f"features are kept in float32, in twice the memory: float16 would change {video} too much (its greatest "
            f"value is {np.abs(features_DT).max():.3g}; best is a scale near 1)"
        )
    return half_DT


def _lost(rounded: NDArray[np.float16], features: np.ndarray) -> float:
    """Norm of the rounding error relative to the norm of the features; infinite where a value became infinite."""
    exact = features.astype(np.float64)
    norm = np.linalg.norm(exact)
    return float(np.linalg.norm(rounded - exact) / norm) if norm > 0 else 0.0
