"""Assignment of pyramid points to annotated instances, with the overlap and focal losses on them.

Shapes: B videos, P points of all pyramid levels, at most K instances per video, C classes. Times are in snippets.
Instances are segments [B, K, 2] with labels [B, K], -1 where a video has fewer than K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tal_search.nn.pyramid.network import locations

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0
SHORTEST = 1e-6  # snippets; guards divisions by a length
EQUAL = 1e-3  # snippets by which instances of equal length may differ


@dataclass(frozen=True)
class Targets:
    """Training targets of each point: inside bool [B, P]; label int64 [B, P] (0 outside); segment [B, P, 2]; position
    [B, P] in the instance, from -0.5 at the start to 0.5 at the end; and shortest bool [B, P, K], the instances that
    the point may learn and that are as short as the one it does, as where two classes share one segment."""

    inside: Tensor
    label: Tensor
    segment: Tensor
    position: Tensor
    shortest: Tensor

    def classes(self, labels_BK: Tensor, classes: int) -> Tensor:
        """The classes of `shortest`, bool [B, P, C]."""
        member_BKC = functional.one_hot(labels_BK.clamp_min(0), classes)
        return torch.einsum("bpk,bkc->bpc", self.shortest.float(), member_BKC.float()) > 0


def assign(lengths: list[int], segments_BK2: Tensor, labels_BK: Tensor, *, radius: float | None = None) -> Targets:
    """Assign each point the shortest instance that contains it and whose farther end is in its level's range.

    radius: of centre sampling (Tian et al., ICCV 2019), a point also lies less than this many strides 2^l from the
    instance's middle.

    `lengths`: number of points per level. The regression range of level l is from 2·2^l (first level: 0) to 4·2^l
    snippets (last level: unbounded), as in ActionFormer. Points without an instance are background.
    """
    # An unlabelled instance is appended so that a batch without instances needs no special case.
    segments_BK2 = functional.pad(segments_BK2, (0, 0, 0, 1))
    labels_BK = functional.pad(labels_BK, (0, 1), value=-1)
    time_P, low_P, high_P = _reach(lengths, segments_BK2.device)
    start_BPK, end_BPK = segments_BK2[:, None, :, 0], segments_BK2[:, None, :, 1]
    before_BPK, after_BPK = time_P[:, None] - start_BPK, end_BPK - time_P[:, None]
    farther_BPK = torch.maximum(before_BPK, after_BPK)
    eligible_BPK = (torch.minimum(before_BPK, after_BPK) > 0) & (labels_BK >= 0)[:, None]
    eligible_BPK &= (farther_BPK >= low_P[:, None]) & (farther_BPK < high_P[:, None])
    if radius is not None:
        stride_P = torch.cat([torch.full_like(time_P[:points], 2**level) for level, points in enumerate(lengths)])
        eligible_BPK &= ((before_BPK - after_BPK) / 2).abs() < radius * stride_P[:, None]
    length_BPK = (end_BPK - start_BPK).expand_as(eligible_BPK).masked_fill(~eligible_BPK, math.inf)
    least_BP, chosen_BP = length_BPK.min(2)
    inside_BP = eligible_BPK.any(2)
    segment_BP2 = segments_BK2.gather(1, chosen_BP[..., None].expand(-1, -1, 2))
    segment_BP2 = torch.where(inside_BP[..., None], segment_BP2, 0.0)
    label_BP = labels_BK.gather(1, chosen_BP).clamp_min(0) * inside_BP
    shortest_BPK = eligible_BPK & (length_BPK <= least_BP[..., None] + EQUAL)
    return Targets(inside_BP, label_BP, segment_BP2, place_in(time_P, segment_BP2), shortest_BPK[..., :-1])


def _reach(lengths: list[int], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Time and regression range (least and greatest distance) of every point, [P] each."""
    last = len(lengths) - 1
    parts = []
    for level, points in enumerate(lengths):
        time = locations(points, level, device)
        low, high = 0.0 if level == 0 else 2.0 * 2**level, math.inf if level == last else 4.0 * 2**level
        parts.append(torch.stack([time, torch.full_like(time, low), torch.full_like(time, high)]))
    time_P, low_P, high_P = torch.cat(parts, 1)
    return time_P, low_P, high_P


def place_in(time: Tensor, segment_2: Tensor) -> Tensor:
    """d: distance to the segment's middle in segment lengths, clamped to −0.5 to 0.5. segment_2 [..., 2]."""
    start, end = segment_2.unbind(-1)
    return ((time - (start + end) / 2) / (end - start).clamp_min(SHORTEST)).clamp(-0.5, 0.5)


def overlaps(a_2: Tensor, b_2: Tensor) -> tuple[Tensor, Tensor]:
    """tIoU and DIoU of segments [..., 2]: intersection over union, and the same minus the squared distance of the
    centres over the squared length of the hull (Distance-IoU of Zheng et al. in one dimension)."""
    (a_start, a_end), (b_start, b_end) = a_2.unbind(-1), b_2.unbind(-1)
    shared = (torch.minimum(a_end, b_end) - torch.maximum(a_start, b_start)).clamp_min(0)
    union = (a_end - a_start) + (b_end - b_start) - shared
    tiou = shared / union.clamp_min(SHORTEST)
    hull = torch.maximum(a_end, b_end) - torch.minimum(a_start, b_start)
    middles = (a_start + a_end - b_start - b_end) / 2
    return tiou, tiou - (middles / hull.clamp_min(SHORTEST)) ** 2


def focal_loss(logits_BPC: Tensor, inside_BP: Tensor, label_BP: Tensor) -> Tensor:
    """`focal_loss_of` where each point inside an instance has one class."""
    return focal_loss_of(logits_BPC, (functional.one_hot(label_BP, logits_BPC.shape[-1]) * inside_BP[..., None]) > 0)


def focal_loss_of(logits_BPC: Tensor, target_BPC: Tensor) -> Tensor:
    """Sigmoid focal loss of every point, summed over classes: [B, P] (Lin et al., α = .25, γ = 2)."""
    # x where the target is 0, −x where it is 1, so that a wrong prediction is large
    wrong_BPC = torch.where(target_BPC, -logits_BPC, logits_BPC)
    alpha_BPC = torch.where(target_BPC, FOCAL_ALPHA, 1 - FOCAL_ALPHA)
    return (alpha_BPC * wrong_BPC.sigmoid() ** FOCAL_GAMMA * functional.softplus(wrong_BPC)).sum(-1)
