"""Times of stored snippets, and resampling to the middles of T equal parts of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.data.features.npz import rescale
from tal_search.data.features.resampling import interpolate


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Frames from one snippet to the next, the frame at the centre of the first, and frames a second.

    stride None: the snippets cover the video evenly, and offset and fps are ignored. fps None: that of each video.
    """

    stride: float | None = None
    offset: float | None = None
    fps: float | None = None

    def sampled(
        self, features_DT: NDArray[np.float32], snippets: int, duration: float, fps: float | None
    ) -> NDArray[np.float32]:
        """[D, T0] to [D, T]: linear interpolation at the middles of T equal parts of `duration` seconds, ends held."""
        if self.stride is None:
            return rescale(features_DT, snippets)
        assert self.offset is not None
        assert fps is not None
        seconds = (np.arange(snippets) + 0.5) / snippets * duration
        return interpolate(features_DT, (seconds * fps - self.offset) / self.stride)

    def span(self, length: int, duration: float, fps: float | None) -> tuple[float, float]:
        """Seconds at the left edge of the first stored snippet, and from there to the right edge of the last."""
        if self.stride is None:
            return 0.0, duration
        assert self.offset is not None
        assert fps is not None
        return (self.offset - self.stride / 2) / fps, length * self.stride / fps

    def expected(self, duration: float, fps: float | None) -> float:
        """Snippets expected of a video of `duration` seconds, in which only whole windows of 2·offset frames count."""
        assert self.stride is not None
        assert self.offset is not None
        assert fps is not None
        return max(1.0, (duration * fps - 2 * self.offset) / self.stride + 1)


AS_LAYOUT = Timing()
