"""Training videos as a network sees them: all of one length, or drawn anew from their stored snippets at each step.

Shapes: N videos of the training set, B videos of a batch, D channels, C classes, T snippets taken, L stored ones, K
instances of a video.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from tal_search.data.sampling.mapping import Taken
from tal_search.data.sampling.positions import drawn
from tal_search.data.sampling.settings import ANEW, NATIVE, PADDED, RESCALE, UNIFORM, Sampling, SplitSampling
from tal_search.data.sampling.views import at_test
from tal_search.nn.arrays import tensor
from tal_search.nn.batch import Batch
from tal_search.timeline import Timeline
from tal_search.types import Ints, VideoSet

LEAST_INSIDE = 0.5  # share of an instance that a window must hold for the instance to be learned, as ActionFormer's
WHOLE = SplitSampling(kind=NATIVE)


@dataclass
class TrainingVideos:
    """The training set and its sampling; snippets: T. Draws depend only on the seed and the epoch, see `begin`.

    rows: of the videos to train on, and batch_size: their number at each step, where every batch is drawn anew.
    """

    videos: VideoSet
    sampling: Sampling
    snippets: int
    seed: int
    rows: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    batch_size: int = 0
    step: int = 0
    generator: np.random.Generator = field(default_factory=np.random.default_rng)

    def __post_init__(self) -> None:
        """Sample once what every step would sample alike."""
        if self.sampling.stored and self.alike:
            self.videos = sampled_once(self.videos, self.sampling.training, self.snippets)

    @property
    def alike(self) -> bool:
        """Whether every step takes all snippets of `videos`, none of which is padding."""
        return not self.sampling.stored or self.sampling.training.kind in (RESCALE, UNIFORM)

    def begin(self, epoch: int, steps: int) -> None:
        """Start the draws of an epoch (from 1) of so many steps."""
        self.generator = np.random.default_rng((self.seed, epoch))
        self.step = (epoch - 1) * steps

    def draw(self, rows: Ints, features_NDL: torch.Tensor) -> Batch:
        """The batch of the next step, on the device of the features, which are those of all videos.

        rows: its videos, unless every batch is drawn anew.
        """
        sampling = self.sampling.training
        anew = sampling.batches == ANEW
        rows = self.generator.permutation(self.rows) if anew else rows
        lengths = self.videos.timeline.length[rows]
        position, taken = drawn(sampling, lengths, self.snippets, self.step, self.generator)
        self.step += 1
        if anew:
            chosen = self._clicked(rows, position)[: self.batch_size]
            rows, taken = rows[chosen], taken[chosen]
            position = position[chosen, : taken.max()]
        return take(self.videos, rows, position, taken, features_NDL, window=sampling.kind in PADDED)

    @cached_property
    def _clicks(self) -> NDArray[np.bool_]:
        """Whether each stored snippet has an action click that the method reads, [N, L]."""
        clicked: NDArray[np.bool_] = np.asarray(self.videos.action_clicks.any(1))
        return clicked

    def _clicked(self, rows: Ints, position_BT: Ints) -> Ints:
        """Places of the windows that hold an action click; of all, where none does."""
        held = self._clicks[rows[:, None], position_BT] & (position_BT >= 0)
        return np.flatnonzero(held.any(1)) if held.any() else np.arange(len(rows))

    def whole(self, rows: Ints, features_NDL: torch.Tensor) -> Batch:
        """The stored sequences of some videos, padded to the longest of them."""
        position, taken = drawn(WHOLE, self.videos.timeline.length[rows], self.snippets, 0, self.generator)
        return replace(take(self.videos, rows, position, taken, features_NDL, window=True), position=None)


def take(
    videos: VideoSet, rows: Ints, position_BT: Ints, taken_B: Ints, features_NDL: torch.Tensor, *, window: bool
) -> Batch:
    """The batch that takes the stored snippets `position_BT` of `rows`, -1 for padding; the first taken_B of each row.

    Clicks and instances follow, see `Taken`; instances of which less than half is held are dropped. So are labels of
    classes whose action clicks all lie outside a window.
    """
    device = features_NDL.device
    features_BDT = torch.zeros(len(rows), features_NDL.shape[1], position_BT.shape[1], device=device)
    for place, (row, position_T, taken) in enumerate(zip(rows.tolist(), position_BT, taken_B.tolist(), strict=True)):
        index = torch.from_numpy(position_T[:taken]).to(device)
        features_BDT[place, :, :taken] = features_NDL[row].index_select(1, index)
    supervision = supervision_of(videos, rows, position_BT, taken_B, window=window)
    row, position = torch.from_numpy(rows).to(device), torch.from_numpy(position_BT).to(device)
    length = torch.from_numpy(taken_B).to(device) if (taken_B < position_BT.shape[1]).any() else None
    labels, background, action, segments, segment_labels = (tensor(array).to(device) for array in supervision)
    return Batch(row, features_BDT, labels, background, action, segments, segment_labels, length, position)


def supervision_of(
    videos: VideoSet, rows: Ints, position_BT: Ints, taken_B: Ints, *, window: bool
) -> tuple[NDArray[np.generic], ...]:
    """Labels [B, C], background clicks [B, T], action clicks [B, C, T], segments [B, K, 2] and their labels [B, K]."""
    count, snippets = position_BT.shape
    background_BT = np.zeros((count, snippets), np.bool_)
    action_BCT = np.zeros((count, videos.labels.shape[1], snippets), np.bool_)
    segments, labels = videos.segments[rows].copy(), videos.segment_labels[rows].copy()
    of_videos = videos.labels[rows].copy()
    lengths = videos.timeline.length[rows].tolist()
    for place, (row, length) in enumerate(zip(rows.tolist(), lengths, strict=True)):
        taken = Taken(position_BT[place, : taken_B[place]], length, window)
        clicked = np.flatnonzero(videos.background_clicks[row])
        background_BT[place, taken.nearest(clicked[taken.holds(clicked)])] = True
        label, clicked = np.nonzero(videos.action_clicks[row])
        held = taken.holds(clicked)
        action_BCT[place, label[held], taken.nearest(clicked[held])] = True
        of_videos[place, np.setdiff1d(label, label[held])] = 0
        stored = segments[place].astype(np.float64)
        segments[place] = taken.moved(stored)
        inside = np.diff(np.clip(stored, *taken.ends)) >= LEAST_INSIDE * np.diff(stored)
        labels[place, ~inside[:, 0]] = -1
    return of_videos, background_BT, action_BCT, segments, labels


def sampled_once(videos: VideoSet, sampling: SplitSampling, snippets: int) -> VideoSet:
    """The videos as they are at test with kinds rescale and uniform, with T snippets; clicks and instances by time."""
    rows = np.arange(len(videos.videos))
    parts = [at_test(videos.subset(rows[row : row + 1]), sampling, snippets) for row in rows.tolist()]
    stored, length = videos.timeline, np.full(len(rows), snippets)
    seen = Timeline(length=length, start=stored.start, extent=stored.extent)
    if sampling.kind == RESCALE:
        seen = Timeline.even(length, videos.duration)
    background_NT = np.zeros((len(rows), snippets), np.bool_)
    action_NCT = np.zeros((len(rows), videos.labels.shape[1], snippets), np.bool_)
    row, clicked = np.nonzero(videos.background_clicks)
    background_NT[row, seen.snippets(row, stored.seconds(row, clicked + 0.5))] = True
    row, label, clicked = np.nonzero(videos.action_clicks)
    action_NCT[row, label, seen.snippets(row, stored.seconds(row, clicked + 0.5))] = True
    segments = seen.positions(rows, stored.seconds(rows, videos.segments.astype(np.float64))).clip(0, snippets)
    return replace(
        videos, features=np.concatenate([part.features for part in parts]), background_clicks=background_NT,
        action_clicks=action_NCT, segments=segments.astype(np.float32), **vars(seen),
    )  # fmt: skip
