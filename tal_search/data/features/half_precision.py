"""Features in half precision: half the memory, where next to nothing is lost by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tal_search.types import VideoSet

# Of a video's norm. Rounding to float16 changes it by about 2e-4 where values are from 6e-5 to 65504; bf16, by 2e-3.
MOST_LOST = 1e-3


def in_half(videos: VideoSet, notes: list[str]) -> VideoSet:
    """The videos with features in float16; as they are, with a sentence in `notes`, where that changes one too much.

    Too much is beyond MOST_LOST: features above 65504 would become infinite, those below 6e-5 coarse or zero.
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
    """A video that float16 would change too much; says so, and what happens then."""


def halved(features_DT: NDArray[Any], video: str) -> NDArray[np.float16]:
    """One video's features in float16. Raises TooCoarse."""
    with np.errstate(over="ignore"):
        half_DT = features_DT.astype(np.float16)
    if not _lost(half_DT, features_DT) <= MOST_LOST:
        raise TooCoarse(
            f"features are kept in float32, in twice the memory: float16 would change {video} too much (its greatest "
            f"value is {np.abs(features_DT).max():.3g}; best is a scale near 1)"
        )
    return half_DT


def _lost(rounded: NDArray[np.float16], features: NDArray[Any]) -> float:
    """Norm of what rounding changed, as a share of the features' own; infinite where a value became infinite."""
    exact = features.astype(np.float64)
    norm = np.linalg.norm(exact)
    return float(np.linalg.norm(rounded - exact) / norm) if norm > 0 else 0.0
