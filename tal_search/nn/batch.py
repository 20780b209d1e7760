"""The videos of one training step. Shapes: B videos, D channels, C classes, T snippets, K instances of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """The videos of one training step, on the network's device.

    rows int64 [B], indices into the training set; features float32 [B, D, T]; labels float32 [B, C];
    background_clicks bool [B, T]; action_clicks bool [B, C, T]; segments float32 [B, K, 2] in snippets (0 to T), with
    segment_labels int64 [B, K], -1 where a video has fewer than K. Supervision that the method does not declare is
    empty. length int64 [B]: the snippets of each video, after which features are zeros; None where no video is padded.
    position int64 [B, T]: the stored snippet that each one is, -1 for padding; None where all are there in order.
    """

    rows: Tensor
    features: Tensor
    labels: Tensor
    background_clicks: Tensor
    action_clicks: Tensor
    segments: Tensor
    segment_labels: Tensor
    length: Tensor | None = None
    position: Tensor | None = None

    @property
    def valid(self) -> Tensor | None:
        """Whether each snippet belongs to its video, bool [B, T]; None where all do."""
        return None if self.length is None else valid_snippets(self.length, self.features.shape[-1])

    @property
    def stored_per_snippet(self) -> Tensor:
        """How many stored snippets lie from one taken to the next, mean by video, float64 [B]; 1 where none between
        two taken ones is left out.
        """
        if self.position is None:
            return self.features.new_ones(len(self.rows)).double()
        count_B = (self.position >= 0).sum(1)
        last_B = self.position.gather(1, count_B[:, None] - 1)[:, 0]
        return (last_B - self.position[:, 0] + 1).double() / count_B

    def kept(self, stored_NxL: Tensor) -> Tensor:
        """What a method keeps of the stored snippets of all videos, at the snippets of this batch: [B, ..., T].

        Values of padding have no meaning.
        """
        stored_BxL, snippets = stored_NxL[self.rows], self.features.shape[-1]
        if self.position is None:
            return stored_BxL[..., :snippets]
        place_BxT = self.position.clamp_min(0).view(len(self.rows), *[1] * (stored_BxL.ndim - 2), snippets)
        return stored_BxL.gather(-1, place_BxT.expand(*stored_BxL.shape[:-1], snippets))


def valid_snippets(length_B: Tensor, snippets: int) -> Tensor:
    """Whether each of T snippets is one of the first `length` of its row, bool [B, T]."""
    import torch

    return torch.arange(snippets, device=length_B.device) < length_B[:, None]


def by_row(rows: Sequence[Tensor], values: Sequence[Tensor], padding: float) -> Tensor:
    """Values [B, ..., T] of batches of whole videos, of rows [B], as [N, ..., L]: as many as the highest row and the
    longest video need. The rest, rows of no batch included, is `padding`.
    """
    count, stored = 1 + max(int(row.max()) for row in rows), max(part.shape[-1] for part in values)
    joined_NxL = values[0].new_full((count, *values[0].shape[1:-1], stored), padding)
    for row, part_BxT in zip(rows, values, strict=True):
        joined_NxL[row, ..., : part_BxT.shape[-1]] = part_BxT
    return joined_NxL
