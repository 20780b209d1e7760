"""Facts of a dataset that the generic presets are made from; ground truth and headers suffice, no feature is read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tal_search.data.truth.truths import present, within
from tal_search.types import Annotations, Floats

SPANNED = 3.0  # snippets that nine tenths of the training instances span at least
STEP, FEWEST, MOST = 50, 100, 1000  # T is a multiple of STEP between the two
WITHOUT_DURATIONS = 400  # T where neither the ground truth nor the features say how long a video is
# Instances are long where more than MANY of them cover HALF of their video, so that the whole video is a detection of
# them at tIoU .5: 42 % on ActivityNet 1.2, whose presets treat them as long, but .2 % on THUMOS14, none on BEOID and
# GTEA, and 1.6 % in HAPT's windows of a minute, though their median instance covers a sixth of its window.
HALF, MANY = 0.5, 0.1
TIOU = 0.7  # of `ceiling`


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Sizes of a training split and lengths of its instances.

    classes_per_video: of all training videos but the twentieth that has most. seconds and shares: of an instance, and
    of its video that it covers; NaN where no duration is known. shortest: a tenth of the instances are not longer.
    stretch: how much longer the longest tenth of the test videos are than that of the training videos, at least 1.
    spans: start and end of each instance as shares of its video, float64 [I, 2]. channels: D, None if unknown.
    longest: snippets that the features have of the longest video, None if unknown. fixed: T of converted features.
    """

    videos: int
    classes: int
    classes_per_video: int
    shortest_seconds: float
    median_seconds: float
    shortest_share: float
    median_share: float
    stretch: float
    channels: int | None = None
    longest: int | None = None
    fixed: int | None = None
    spans: Floats = field(default_factory=lambda: np.zeros((0, 2)), repr=False, compare=False)

    @property
    def snippets(self) -> int:
        """T: the shortest tenth of the instances span SPANNED snippets, also in test videos that are longer.

        The nearest multiple of STEP from FEWEST to MOST, no more than the features have of their longest video.
        """
        if self.fixed is not None:
            return self.fixed
        most = math.inf if self.longest is None else STEP * max(1, math.ceil(self.longest / STEP))
        if not math.isfinite(self.shortest_share):
            return int(min(WITHOUT_DURATIONS if self.longest is None else MOST, most))
        share = max(self.shortest_share, SPANNED / MOST)
        wanted = STEP * round(SPANNED * self.stretch / share / STEP)
        return int(min(max(wanted, FEWEST), MOST, most))

    @property
    def long_instances(self) -> bool:
        """Whether so many instances cover half of their video that the whole video is worth a detection."""
        share_I = self.spans[:, 1] - self.spans[:, 0]
        return bool((share_I >= HALF).sum() > MANY * len(share_I))

    @property
    def class_threshold(self) -> float:
        """Least score of a class where a video's scores sum to 1: half of what the loss drives each of n classes to.

        Test videos that are longer (`stretch`) have more classes in proportion, up to all.
        """
        longer = min(self.classes, math.floor(self.classes_per_video * self.stretch))
        return 0.5 / (max(self.classes_per_video, longer) + 1)

    def ceiling(self, snippets: int) -> float:
        """Share of the training instances that a segment with ends on a grid of T `snippets` matches at TIOU.

        NaN where no duration is known.
        """
        if not len(self.spans):
            return math.nan
        ends = np.round(self.spans * snippets) / snippets
        inside = np.minimum(ends[:, 1], self.spans[:, 1]) - np.maximum(ends[:, 0], self.spans[:, 0])
        union = np.maximum(ends[:, 1], self.spans[:, 1]) - np.minimum(ends[:, 0], self.spans[:, 0])
        return float((inside >= TIOU * union).mean())


def facts_of(
    train: Annotations,
    test: Annotations,
    *,
    channels: int | None = None,
    longest: int | None = None,
    fixed: int | None = None,
) -> Facts:
    """Facts of a training split; of the test split only durations are read.

    channels, longest and fixed: see Facts.
    """
    timed = within(train, np.where(np.isfinite(train.duration), train.duration, np.inf))
    seconds_I = timed.segment[:, 1] - timed.segment[:, 0]
    spans_I2 = timed.segment / train.duration[timed.video, None]
    spans_I2 = spans_I2[np.isfinite(spans_I2).all(1)]
    share_I = spans_I2[:, 1] - spans_I2[:, 0]
    stretch = _quantile(test.duration, 0.9) / _quantile(train.duration, 0.9)
    return Facts(
        videos=len(train.videos),
        classes=len(train.classes),
        classes_per_video=max(1, math.floor(_quantile(present(train).sum(1), 0.95))),
        shortest_seconds=_quantile(seconds_I, 0.1),
        median_seconds=_quantile(seconds_I, 0.5),
        shortest_share=_quantile(share_I, 0.1),
        median_share=_quantile(share_I, 0.5),
        stretch=max(1.0, stretch) if math.isfinite(stretch) else 1.0,
        channels=channels,
        longest=longest,
        fixed=fixed,
        spans=spans_I2,
    )


def _quantile(values: Floats, share: float) -> float:
    """A quantile of the finite values; NaN where there are none."""
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    return float(np.quantile(finite, share)) if len(finite) else math.nan
