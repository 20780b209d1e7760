"""Videos that a trial is evaluated on, with their ground truth, and the scores of its detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tal_search.data.sampling.settings import SplitSampling
from tal_search.data.sampling.views import at_test, lengths_at_test
from tal_search.files.heartbeat import beat
from tal_search.localization.activations import Activations
from tal_search.types import Annotations, Detections, DetectionScores, Ints, VideoSet

VIDEOS_AT_ONCE = 16  # whose features are copied at a time


@dataclass(frozen=True)
class Evaluation:
    """Videos to localize, with their ground truth; rows: those of the videos to use, None for all.

    sampling: of videos with their stored snippets, to T = `snippets`; None where they have T already.
    """

    name: str
    videos: VideoSet
    truth: Annotations
    rows: Ints | None = None
    sampling: SplitSampling | None = None
    snippets: int = 0

    @cached_property
    def used(self) -> Ints:
        """The rows of its videos, int64 [M]."""
        return np.arange(len(self.videos.videos)) if self.rows is None else self.rows

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Its videos, in the order of `used`."""
        return tuple(self.videos.videos[row] for row in self.used)

    @cached_property
    def lengths(self) -> Ints:
        """How many snippets each of its videos has for the network, int64 [M]."""
        stored = self.videos.timeline
        taken = stored.length if self.sampling is None else lengths_at_test(stored, self.sampling, self.snippets)
        return taken[self.used]

    def batches(self) -> Iterator[VideoSet]:
        """A few videos of one length at a time, the longest first.

        Features may be mapped from a file shared by all trials, and are not copied whole.
        """
        seen = 0
        for length in np.unique(self.lengths)[::-1]:
            rows = self.used[self.lengths == length]
            for first in range(0, len(rows), VIDEOS_AT_ONCE):
                beat("evaluating, video %d of %d", seen + 1, len(self.used))
                videos = self.videos.subset(rows[first : first + VIDEOS_AT_ONCE])
                yield videos if self.sampling is None else at_test(videos, self.sampling, self.snippets)
                seen += len(videos.videos)


@dataclass(frozen=True)
class Scored:
    """Evaluation of a split; activations: None for methods that localize without them."""

    detections: Detections
    activations: Activations | None
    scores: DetectionScores


def joined_detections(parts: Iterable[Detections], videos: tuple[str, ...], classes: tuple[str, ...]) -> Detections:
    """The detections of sets of videos, together `videos` in any order, in the order of `videos`."""
    row_of = {video: row for row, video in enumerate(videos)}
    found = [(np.array([row_of[video] for video in part.videos], np.int64)[part.video], part) for part in parts]
    video = np.concatenate([rows for rows, _ in found])
    order = np.argsort(video, kind="stable")
    return Detections(
        videos=videos,
        classes=classes,
        video=video[order],
        label=np.concatenate([part.label for _, part in found])[order],
        segment=np.concatenate([part.segment for _, part in found])[order],
        score=np.concatenate([part.score for _, part in found])[order],
    )
