"""Clicks and instances on the stored snippets that a step takes. Shapes: T snippets taken of L stored ones, in order.

A window takes consecutive snippets, and what lies outside is lost; sampled snippets stand for the whole video, so
nothing is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tal_search.types import Floats, Ints


class Taken(NamedTuple):
    """Snippets taken, int64 [T] ascending (some twice where T > L), of `length` stored ones; window: see the module."""

    position: Ints
    length: int
    window: bool

    @property
    def ends(self) -> tuple[int, int]:
        """The stored positions from which and to which they reach."""
        return (int(self.position[0]), int(self.position[-1]) + 1) if self.window else (0, self.length)

    def holds(self, snippet: Ints) -> NDArray[np.bool_]:
        """Whether each stored snippet [n] is among those they stand for."""
        low, high = self.ends
        return (snippet >= low) & (snippet < high)

    def nearest(self, snippet: Ints) -> Ints:
        """The index of the snippet taken that is nearest to each stored snippet [n], the first of equal ones."""
        different, first = np.unique(self.position, return_index=True)
        return first[np.searchsorted((different[1:] + different[:-1]) / 2, snippet)]

    def moved(self, stored: Floats) -> Floats:
        """Positions along the snippets taken (0 to T) of positions along the stored ones, clipped to `ends`.

        The middle of a snippet taken goes to its middle, and the map is linear between them.
        """
        if self.window:
            low, high = self.ends
            return np.clip(stored, low, high) - low
        different, first, count = np.unique(self.position, return_index=True, return_counts=True)
        known = np.concatenate([[0.0], different + 0.5, [self.length]])
        wanted = np.concatenate([[0.0], first + count / 2, [len(self.position)]])
        moved: Floats = np.interp(stored, known, wanted)
        return moved
