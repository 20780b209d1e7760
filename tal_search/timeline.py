"""Where the snippets of videos lie in time: the one map between seconds and positions along a sequence.

A position is a number of snippets from the left edge of the first one: snippet t covers positions t to t + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Times of N sequences: seconds at position 0 (`start`), from snippet to snippet (`step`), and at the last edge.

    start, step, extent: float64 [N]; extent = length · step, kept beside them because it is exact where the snippets
    cover a video evenly. length: int64 [N] snippets; padding after them has no time.
    """

    length: NDArray[np.int64]
    start: NDArray[np.float64]
    extent: NDArray[np.float64]

    @classmethod
    def even(cls, length: NDArray[np.int64], duration: NDArray[np.float64]) -> Self:
        """Snippets that cover each video evenly from 0 to its duration (seconds)."""
        return cls(length=length, start=np.zeros(len(duration)), extent=duration)

    @classmethod
    def stated(
        cls,
        snippets: int,
        duration: NDArray[np.float64],
        length: NDArray[np.int64] | None,
        start: NDArray[np.float64] | None,
        extent: NDArray[np.float64] | None,
    ) -> Self:
        """The times that sequences state, or, where they state none, those of `snippets` that cover each evenly."""
        if length is None or start is None or extent is None:
            return cls.even(np.full(len(duration), snippets), duration)
        return cls(length=length, start=start, extent=extent)

    @property
    def step(self) -> NDArray[np.float64]:
        """Seconds from one snippet to the next."""
        return self.extent / self.length

    def positions(self, rows: NDArray[np.int64], seconds: NDArray[np.floating]) -> NDArray[np.float64]:
        """Positions [M, ...] of `seconds` [M, ...] in the sequences `rows` [M], also before and after their ends."""
        start, extent, length = self._columns(rows, seconds)
        positions: NDArray[np.float64] = (seconds - start) / extent * length
        return positions

    def snippets(self, rows: NDArray[np.int64], seconds: NDArray[np.floating]) -> NDArray[np.int64]:
        """The snippet at each second [M]; times outside belong to the first or the last one."""
        return np.clip(self.positions(rows, seconds).astype(np.int64), 0, self.length[rows] - 1)

    def seconds(self, rows: NDArray[np.int64], positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Seconds [M, ...] at `positions` [M, ...] of the sequences `rows` [M]."""
        start, extent, length = self._columns(rows, positions)
        seconds: NDArray[np.float64] = start + positions / length * extent
        return seconds

    def _columns(
        self, rows: NDArray[np.int64], like: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Start, extent and length of the rows, shaped to broadcast over the further axes of `like` [M, ...]."""
        shape = (-1, *[1] * (like.ndim - 1))
        return self.start[rows].reshape(shape), self.extent[rows].reshape(shape), self.length[rows].reshape(shape)
