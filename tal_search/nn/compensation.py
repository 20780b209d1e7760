"""Action compensation sampling: a video's snippets resampled so that short proposals get more of them.

The map from old to new time is continuous, piecewise linear and increasing: the cumulative weight of the snippets, with
each border rounded to a whole new snippet. A snippet of weight 1 is therefore copied, not blurred by a shift. The map
places clicks and truth on the resampled video; its inverse maps the results back.

Shapes: B videos, C classes, D channels, T snippets, P resampled snippets (both of the longest video; others are
padded), M times of a video. Times are in snippets, from 0 to a video's own length before and after resampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Resampling:
    """edges float64 [B, T + 1]: the borders of the old snippets in new time, where padding has no extent; most: P."""

    edges_BT1: Tensor
    most: int

    @classmethod
    def of(
        cls, weights_BT: Tensor, stretch: float, most: int | None = None, length_B: Tensor | None = None
    ) -> Resampling:
        """From sampling weights of at least 1. A video gets as many snippets as its total weight, up to `stretch`·T.

        most: P if it is known; None reads it from the device, which makes the host wait. length_B: T of each video,
        after which weights mean nothing; None where no video is padded.
        """
        even_BT1 = _even_edges(weights_BT, length_B)
        edges_BT1 = functional.pad(added_snippets(weights_BT, stretch, even_BT1), (1, 0)) + even_BT1
        return cls(edges_BT1, int(edges_BT1[:, -1].max()) if most is None else most)

    @classmethod
    def even(cls, features_BDT: Tensor, length_B: Tensor | None = None) -> Resampling:
        """The identity map; length_B as in `of`."""
        return cls(_even_edges(features_BDT[:, 0], length_B), features_BDT.shape[-1])

    @property
    def lengths_B(self) -> Tensor:
        """New snippets of each video, whole numbers as float64."""
        return self.edges_BT1[:, -1]

    @property
    def last_B1(self) -> Tensor:
        """The last old snippet of each video, int64 [B, 1]."""
        return self.edges_BT1.argmax(1, keepdim=True) - 1  # the first of the equal borders that padding repeats

    @property
    def valid_BP(self) -> Tensor:
        """bool [B, P], False in the padding."""
        return torch.arange(self.most, device=self.edges_BT1.device) < self.lengths_B[:, None]

    def there(self, old_BM: Tensor) -> Tensor:
        """Map old times to new time, float64."""
        snippet_BM = old_BM.long().clamp(0, self.edges_BT1.shape[1] - 2)
        low_BM, high_BM = self.edges_BT1.gather(1, snippet_BM), self.edges_BT1.gather(1, snippet_BM + 1)
        return low_BM + (old_BM - snippet_BM) * (high_BM - low_BM)

    def back(self, new_BM: Tensor) -> Tensor:
        """Map new times to old time, float64: the inverse of `there`. Times in the padding become the video's end."""
        new_BM = torch.minimum(new_BM.double(), self.lengths_B[:, None])
        right_BM = torch.searchsorted(self.edges_BT1, new_BM.contiguous(), right=True)
        snippet_BM = torch.minimum((right_BM - 1).clamp_min(0), self.last_B1)
        low_BM, high_BM = self.edges_BT1.gather(1, snippet_BM), self.edges_BT1.gather(1, snippet_BM + 1)
        return snippet_BM + (new_BM - low_BM) / (high_BM - low_BM)

    def features(self, features_BDT: Tensor) -> Tensor:
        """Features at the centres of the new snippets, linearly interpolated, zero in the padding: [B, D, P]."""
        old_BP = torch.minimum(self.back(self._centres(self.most)) - 0.5, self.last_B1)
        return interpolate(features_BDT, old_BP) * self.valid_BP[:, None]

    def clicks(self, clicks_BCT: Tensor) -> Tensor:
        """Move each click to the new snippet that contains its old snippet's centre: bool [B, C, P]."""
        place_BCT = self._places()[:, None].expand(clicks_BCT.shape)
        counts_BCP = torch.zeros(*clicks_BCT.shape[:2], self.most, device=clicks_BCT.device)
        return counts_BCP.scatter_add_(2, place_BCT, clicks_BCT.float()) > 0

    def labels(self, labels_BCT: Tensor) -> Tensor:
        """Dense labels, read from the old snippet that contains a new snippet's centre: bool [B, C, P]."""
        last = labels_BCT.shape[-1] - 1
        place_BP = self.back(self._centres(self.most)).long().clamp_max(last)
        labels_BCP = labels_BCT.gather(2, place_BP[:, None].expand(-1, labels_BCT.shape[1], -1))
        return labels_BCP & self.valid_BP[:, None]

    def snippets_back(self, values_BCP: Tensor, padding: float = 0) -> Tensor:
        """Values of the new snippet that contains an old snippet's centre: [B, C, T]. padding: their value there."""
        values_BCT = values_BCP.gather(2, self._places()[:, None].expand(-1, values_BCP.shape[1], -1))
        padded_BT = torch.arange(values_BCT.shape[-1], device=values_BCT.device) > self.last_B1
        return values_BCT.masked_fill(padded_BT[:, None], padding)

    def sequences_back(self, values_BCP: Tensor, length: int) -> Tensor:
        """Sequences on an even grid of old time: [B, C, length].

        The map is increasing, so runs above a threshold become the inverse images of the original runs.
        """
        old = (torch.arange(length, device=values_BCP.device, dtype=torch.float64) + 0.5) / length
        new_BM = self.there((old * (self.edges_BT1.shape[1] - 1)).expand(len(values_BCP), -1)) - 0.5
        return interpolate(values_BCP, torch.minimum(new_BM, self.lengths_B[:, None] - 1))

    def _places(self) -> Tensor:
        """The new snippet that contains the centre of each old one: int64 [B, T]; any of them for padding."""
        return self.there(self._centres(self.edges_BT1.shape[1] - 1)).long().clamp_max(self.most - 1)

    def _centres(self, count: int) -> Tensor:
        centres = torch.arange(count, device=self.edges_BT1.device, dtype=torch.float64) + 0.5
        return centres.expand(len(self.edges_BT1), -1)


def added_snippets(weights_BT: Tensor, stretch: float, even_BT1: Tensor) -> Tensor:
    """Cumulative number of snippets added by the end of every old snippet: whole numbers as float64 [B, T].

    Where a video would exceed `stretch`·T, the excess of all weights above 1 is scaled down by the same factor.
    even_BT1: the borders of the old snippets in old time.
    """
    excess_BT, length_B1 = (weights_BT.double() - 1) * even_BT1.diff(dim=1), even_BT1[:, -1:]
    room_B1 = (stretch * length_B1).floor() - length_B1
    share_B1 = (room_B1 / excess_BT.sum(1, keepdim=True).clamp_min(1e-9)).clamp_max(1)
    return torch.minimum(((excess_BT * share_B1).cumsum(1) + 0.5).floor(), room_B1)


def _even_edges(like_BT: Tensor, length_B: Tensor | None) -> Tensor:
    """The borders of the snippets in their own time, 0 to a video's length: float64 [B, T + 1]."""
    edges_T1 = torch.arange(like_BT.shape[1] + 1, device=like_BT.device, dtype=torch.float64)
    if length_B is None:
        return edges_T1.expand(len(like_BT), -1).contiguous()
    return torch.minimum(edges_T1, length_B[:, None].double())


def interpolate(values_BDT: Tensor, positions_BM: Tensor) -> Tensor:
    """Values at positions counted from the first snippet's centre, edges held: [B, D, M]."""
    last = values_BDT.shape[-1] - 1
    positions_BM = positions_BM.clamp(0, last)
    left_BM = positions_BM.long().clamp_max(max(last - 1, 0))
    share_B1M = (positions_BM - left_BM).to(values_BDT.dtype)[:, None]
    left_BDM = left_BM[:, None].expand(-1, values_BDT.shape[1], -1)
    return torch.lerp(values_BDT.gather(2, left_BDM), values_BDT.gather(2, (left_BDM + 1).clamp_max(last)), share_B1M)


def runs(above: Tensor) -> tuple[Tensor, Tensor]:
    """First snippet and end (one past the last) of the run of True around each position: int64, shaped like `above`.

    Both are undefined where `above` is False.
    """
    length = above.shape[-1]
    position = torch.arange(length, device=above.device)
    beside = torch.zeros_like(above[..., :1])
    begins = above & ~torch.cat([beside, above[..., :-1]], dim=-1)
    ends = above & ~torch.cat([above[..., 1:], beside], dim=-1)
    first = torch.where(begins, position, 0).cummax(-1).values
    end = torch.where(ends, position + 1, length).flip(-1).cummin(-1).values.flip(-1)
    return first, end


def clicks_held(clicks: Tensor, first: Tensor, end: Tensor) -> Tensor:
    """Number of clicks from `first` to before `end` (both [..., P]; clicks bool [..., P])."""
    counts = functional.pad(clicks.long().cumsum(-1), (1, 0))
    return counts.gather(-1, end) - counts.gather(-1, first)


def proposals(scores_BCP: Tensor, present_BC: Tensor, threshold: float, valid_BP: Tensor) -> Tensor:
    """Snippets of the present classes that reach `threshold` times the class's highest score: bool [B, C, P]."""
    highest_BC1 = scores_BCP.masked_fill(~valid_BP[:, None], 0).amax(2, keepdim=True)
    return (scores_BCP >= threshold * highest_BC1) & present_BC[:, :, None] & valid_BP[:, None]


def shortest_lengths(proposed_BCP: Tensor, resampling: Resampling) -> Tensor:
    """Length of the shortest proposal around every old snippet, in old snippets: float64 [B, T], infinite outside."""
    first, end = runs(proposed_BCP)
    length = resampling.back(end.flatten(1)) - resampling.back(first.flatten(1))
    length_BCP = length.view(proposed_BCP.shape).masked_fill(~proposed_BCP, torch.inf)
    return resampling.snippets_back(length_BCP, torch.inf).amin(1)


def sampling_weights(length_BT: Tensor, tau: float) -> Tensor:
    """W of every snippet, float32 [B, T]: τ / length of the shortest proposal around it if shorter than τ, else 1.

    The length of a proposal is at least one snippet, so that no weight exceeds τ.
    """
    return (tau / length_BT.clamp_min(1)).clamp_min(1).float()


def instances(proposed_BCP: Tensor, clicks_BCP: Tensor, resampling: Resampling) -> Tensor:
    """Dense pseudo-labels of the old snippets, bool [B, C, T]: the proposals with exactly one click of their class.

    Each instance has one click, so a proposal with several clicks covers several instances and gives no boundaries.
    """
    clicked_BCP = proposed_BCP & (clicks_held(clicks_BCP, *runs(proposed_BCP)) == 1)
    return resampling.snippets_back(clicked_BCP)
