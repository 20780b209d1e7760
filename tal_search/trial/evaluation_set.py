"""Videos that a trial is evaluated on, with their ground truth, and the scores of its detections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tal_search.files.heartbeat import beat
from tal_search.localization.activations import Activations
from tal_search.types import Annotations, Detections, DetectionScores, Ints, VideoSet

VIDEOS_AT_ONCE = 16  # whose features are copied at a time


@dataclass(frozen=True)
class Evaluation:
    """Videos to localize, with their ground truth; rows: those of the videos to use, None for all."""

    name: str
    videos: VideoSet
    truth: Annotations
    rows: Ints | None = None

    @property
    def count(self) -> int:
        return len(self.videos.videos if self.rows is None else self.rows)

    def batches(self) -> Iterator[VideoSet]:
        """A few videos at a time: features may be mapped from a file shared by all trials, and are not copied whole."""
        rows = np.arange(len(self.videos.videos)) if self.rows is None else self.rows
        for first in range(0, len(rows), VIDEOS_AT_ONCE):
            beat("evaluating, video %d of %d", first + 1, len(rows))
            yield self.videos.subset(rows[first : first + VIDEOS_AT_ONCE])


@dataclass(frozen=True)
class Scored:
    """Evaluation of a split; activations: None for methods that localize without them."""

    detections: Detections
    activations: Activations | None
    scores: DetectionScores
