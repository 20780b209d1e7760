"""Network, prototypes and losses of the method of representative segments.

Shapes: B videos, C classes (background is one extra class, last), D input and H hidden channels, K prototypes, P
snippets of a resampled video (`valid_BP` is False in the padding), M classes of a video's labels, R thresholds.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tal_search.nn.arrays import full
from tal_search.nn.compensation import Resampling, clicks_held, runs
from tal_search.nn.losses import mean_over

ITERATIONS = 2  # of the prototypes
SHARPNESS = 5.0  # γ
FOCUS = 2  # exponent of the focal cross-entropy
CERTAIN = 0.95  # least background score of a mined snippet
LEVELS = 10  # thresholds of candidate runs are 1/10, 2/10, …, 9/10 of the class's highest score
OUTER = 0.25  # length of the outer region on each side of a run, in run lengths
TEMPERATURE = 0.1  # of InfoNCE
MARGIN = 1e-6  # keeps logarithms finite


class Output(NamedTuple):
    """features [B, H, P] after redistribution; scores [B, C+1, P]: P_c = S_c · (1 − S_bg), and S_bg last.

    classes [B, C, P]: S_c itself, for the video scores.
    """

    features: Tensor
    scores: Tensor
    classes: Tensor


class Network(nn.Module):
    """Conv1d(D→H, 3) ReLU, redistribution by K prototypes, dropout, Conv1d(H→C+1, 1), sigmoid.

    `round` (from 1) is the round in which its weights were trained: from the second on, on resampled videos.
    """

    round: Tensor

    def __init__(
        self, channels: int, classes: int, *, hidden: int, prototypes: int, omega: float, dropout: float
    ) -> None:
        super().__init__()
        self.omega = omega
        self.backbone = nn.Conv1d(channels, hidden, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv1d(hidden, classes + 1, 1)
        if omega > 0:
            self.prototypes = nn.Parameter(functional.normalize(torch.randn(prototypes, hidden), dim=1))
        self.register_buffer("round", torch.tensor(1))

    def forward(self, features_BDP: Tensor, valid_BP: Tensor) -> Output:
        features_BHP = functional.relu(self.backbone(features_BDP))
        if self.omega > 0:
            features_BHP = redistribute(features_BHP, self.prototypes, valid_BP, self.omega)
        raw = full(self.classifier(self.dropout(features_BHP))).sigmoid()
        classes, background = raw[:, :-1], raw[:, -1:]
        return Output(full(features_BHP), torch.cat([classes * (1 - background), background], dim=1), classes)


def redistribute(features_BHP: Tensor, prototypes_KH: Tensor, valid_BP: Tensor, omega: float) -> Tensor:
    """F' = ω·Z·μ* + (1 − ω)·F with Z = softmax(γ · norm(F) · norm(μ)ᵀ) and μ* = ω · norm(Z)ᵀ·F + (1 − ω)·μ.

    norm is L2 except for Z, whose columns sum to 1 over a video, so that norm(Z)ᵀ·F are weighted means of its snippets.
    Two iterations; the prototypes of each video are initialised with the learned ones.
    """
    features_BPH = features_BHP.transpose(1, 2)
    unit_BPH = functional.normalize(features_BPH, dim=2)
    means_BKH = prototypes_KH.expand(len(features_BHP), -1, -1)
    for _ in range(ITERATIONS):
        nearness_BPK = (SHARPNESS * unit_BPH @ functional.normalize(means_BKH, dim=2).transpose(1, 2)).softmax(2)
        weight_BPK = nearness_BPK * valid_BP[:, :, None]
        weight_BPK = weight_BPK / weight_BPK.sum(1, keepdim=True).clamp_min(MARGIN)
        means_BKH = omega * (weight_BPK.transpose(1, 2) @ features_BPH) + (1 - omega) * means_BKH
    return (omega * (nearness_BPK @ means_BKH) + (1 - omega) * features_BPH).transpose(1, 2)


def video_scores(scores_BCP: Tensor, valid_BP: Tensor, ratio: float) -> Tensor:
    """Mean of the k highest scores of each class, k = max(1, ⌊ratio · a video's snippets⌋): [B, C]."""
    k_B1 = (ratio * valid_BP.sum(1, keepdim=True) + 1e-9).long().clamp_min(1)
    most = max(1, int(ratio * valid_BP.shape[1] + 1e-9))
    highest_BCK = (scores_BCP * valid_BP[:, None]).topk(most, dim=2).values
    chosen_BK = torch.arange(most, device=scores_BCP.device) < k_B1
    return (highest_BCK * chosen_BK[:, None]).sum(2) / k_B1


def read(network: nn.Module, features_BDT: Tensor, resampling: Resampling, ratio: float) -> tuple[Tensor, Tensor]:
    """Sequences [B, C+1, P] of resampled videos and the video scores [B, C+1], of S_c and S_bg."""
    output = network(resampling.features(features_BDT), resampling.valid_BP)
    raw_BCP = torch.cat([output.classes, output.scores[:, -1:]], dim=1)
    return output.scores, video_scores(raw_BCP, resampling.valid_BP, ratio)


def video_loss(scores_BC: Tensor, labels_BC: Tensor) -> Tensor:
    """L_vid: binary cross-entropy of the video scores of S_c, mean over classes and videos."""
    return functional.binary_cross_entropy(scores_BC.clamp(MARGIN, 1 - MARGIN), labels_BC)


def snippet_loss(scores_BC1P: Tensor, target_BC1P: Tensor, chosen_BP: Tensor) -> Tensor:
    """Focal cross-entropy of C+1 scores against targets of 0 or 1, summed over classes, mean over chosen snippets."""
    right = torch.where(target_BC1P, scores_BC1P, 1 - scores_BC1P).clamp(MARGIN, 1 - MARGIN)
    loss_BP = -((1 - right) ** FOCUS * right.log()).sum(1)
    return mean_over(loss_BP, chosen_BP)


def with_background(labels_BCP: Tensor, background_BP: Tensor) -> Tensor:
    """Labels with the background as last class: bool [B, C+1, P]."""
    return torch.cat([labels_BCP, background_BP[:, None]], dim=1)


def mined_background(background_BP: Tensor, clicks_BCP: Tensor, labels_BCP: Tensor, valid_BP: Tensor) -> Tensor:
    """Pseudo background snippets, bool [B, P], in videos that have a click (LACP, pseudo background points).

    Each instance has one click, so every section between two clicked snippets, before the first and after the last
    contains background. The seeds of a section are its snippets outside the pseudo-labels with an S_bg of at least
    CERTAIN or, if there are none, the one with the highest S_bg. All snippets from the first to the last seed of a
    section are background; so are those before the first section's and after the last section's seeds. Only a seed
    overrides pseudo-labels.
    """
    clicked_BP, labelled_BP = clicks_BCP.any(1), labels_BCP.any(1)
    section_BP, open_BP = clicked_BP.long().cumsum(1), valid_BP & ~clicked_BP
    score_BP = background_BP.detach().masked_fill(~open_BP, -1.0)
    position_BP = torch.arange(score_BP.shape[1], device=score_BP.device).expand_as(section_BP)
    beyond = score_BP.shape[1]

    def in_section(values_BP: Tensor, empty: float, extreme: str) -> Tensor:
        """The extreme value of each snippet's section, [B, P]."""
        extremes_BS = values_BP.new_full((len(values_BP), beyond + 1), empty)
        return extremes_BS.scatter_reduce(1, section_BP, values_BP, extreme).gather(1, section_BP)

    highest_BP = open_BP & (score_BP >= in_section(score_BP, -1.0, "amax"))
    single_BP = position_BP == in_section(position_BP.masked_fill(~highest_BP, beyond), beyond, "amin")
    certain_BP = (score_BP >= CERTAIN) & ~labelled_BP
    seed_BP = torch.where(in_section(certain_BP.long(), 0, "amax") > 0, certain_BP, single_BP)
    first_BP = in_section(position_BP.masked_fill(~seed_BP, beyond), beyond, "amin")
    last_BP = in_section(position_BP.masked_fill(~seed_BP, -1), -1, "amax")
    after_BP = (section_BP == 0) | (position_BP >= first_BP)
    before_BP = (section_BP == section_BP[:, -1:]) | (position_BP <= last_BP)
    filled_BP = open_BP & after_BP & before_BP & ~labelled_BP
    return (filled_BP | seed_BP) & clicked_BP.any(1, keepdim=True)


def labelled(labels_BC: Tensor) -> Tensor:
    """Indices of each video's labelled classes, followed by others: int64 [B, M].

    M is the most any video has. On a GPU M is C: counting would make the host wait, which costs more.
    """
    most = max(1, int(labels_BC.sum(1).max())) if labels_BC.is_cpu else labels_BC.shape[1]
    return labels_BC.topk(most, dim=1).indices


class Segments(NamedTuple):
    """One segment per class: inside and outside bool [B, M, P]; exists bool [B, M]."""

    inside: Tensor
    outside: Tensor
    exists: Tensor


def representative_segments(scores_BMP: Tensor, clicks_BMP: Tensor, valid_BP: Tensor) -> Segments:
    """The run of each class with the highest inner–outer contrast, among runs of all levels that contain a click."""
    scores_BMP = scores_BMP.detach() * valid_BP[:, None]
    levels_R1 = torch.arange(1, LEVELS, device=scores_BMP.device, dtype=scores_BMP.dtype)[:, None] / LEVELS
    above_BMRP = scores_BMP[:, :, None] >= levels_R1 * scores_BMP.amax(2)[:, :, None, None]
    above_BMRP = above_BMRP & valid_BP[:, None, None]
    first, end = runs(above_BMRP)
    candidate = above_BMRP & (clicks_held(clicks_BMP[:, :, None].expand(above_BMRP.shape), first, end) > 0)
    lengths_B = valid_BP.sum(1)[:, None, None, None]
    outer_first, outer_end = _outer(first, end, lengths_B)
    totals_BMP1 = functional.pad(scores_BMP.double().cumsum(2), (1, 0))
    totals = totals_BMP1[:, :, None].expand(-1, -1, LEVELS - 1, -1)
    inner = totals.gather(3, end) - totals.gather(3, first)
    outer = totals.gather(3, outer_end) - totals.gather(3, outer_first) - inner
    contrast = inner / (end - first) - outer / (outer_end - outer_first - end + first).clamp_min(1)
    contrast = contrast.masked_fill(~candidate, -torch.inf).flatten(2)
    best_BM1 = contrast.argmax(2, keepdim=True)
    first, end = first.flatten(2).gather(2, best_BM1), end.flatten(2).gather(2, best_BM1)
    outer_first, outer_end = _outer(first, end, lengths_B[..., 0])
    position = torch.arange(scores_BMP.shape[-1], device=scores_BMP.device)
    inside = (position >= first) & (position < end)
    outside = (position >= outer_first) & (position < outer_end) & ~inside
    return Segments(inside, outside, candidate.flatten(2).any(2))


def _outer(first: Tensor, end: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Borders of a run with its outer regions: a share of its length each side, at least a snippet, in the video."""
    margin = ((end - first) * OUTER).long().clamp_min(1)
    return (first - margin).clamp_min(0), torch.minimum(end + margin, length)


def score_loss(scores_BMP: Tensor, segments: Segments) -> Tensor:
    """L_score = Σ y_c (1 − R_c)² / Σ y_c over the classes with a segment; R = mean inside − mean outside."""
    contrast_BM = _mean(scores_BMP, segments.inside) - _mean(scores_BMP, segments.outside)
    return mean_over((1 - contrast_BM) ** 2, segments.exists)


def feature_loss(features_BHP: Tensor, segments: Segments, classes_BM: Tensor) -> Tensor:
    """L_feat: InfoNCE of the mean features of segments, which attracts those of one class across videos.

    For a segment i: −mean over the others j of its class of log(exp(cos_ij/τ) / Σ_{l≠i} exp(cos_il/τ)); mean over the
    segments that have such others.
    """
    share_BMP = segments.inside / segments.inside.sum(2, keepdim=True).clamp_min(1)
    mean_BMH = share_BMP.to(features_BHP.dtype) @ features_BHP.transpose(1, 2)
    unit_NH = functional.normalize(mean_BMH.flatten(0, 1), dim=1)
    exists_N, class_N = segments.exists.flatten(), classes_BM.flatten()
    itself = torch.eye(len(unit_NH), dtype=torch.bool, device=unit_NH.device)
    other_NN = exists_N & ~itself
    logits_NN = (unit_NH @ unit_NH.T / TEMPERATURE).masked_fill(~other_NN, -1e4)  # finite: no row is all −inf
    same_NN = other_NN & (class_N[:, None] == class_N)
    loss_N = -(logits_NN.log_softmax(1) * same_NN).sum(1) / same_NN.sum(1).clamp_min(1)
    return mean_over(loss_N, exists_N & same_NN.any(1))


def _mean(values_BMP: Tensor, mask_BMP: Tensor) -> Tensor:
    return (values_BMP * mask_BMP).sum(2) / mask_BMP.sum(2).clamp_min(1)
