"""Losses of BackTAL (paper Eq. 2-13) and its baseline, vectorised over videos and classes.

Shapes: B videos, C classes (background has index C in a CAS), T snippets, E embedding channels. Click masks are bool
[B, T]. A batch or video without clicks contributes zero to every click term.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Stands for "no pair" in masked extrema; beyond any cosine.
FAR = 4.0


def top_k(ratio: float, snippets: int) -> int:
    """k = max(1, ⌊ratio · T⌋)."""
    return max(1, int(ratio * snippets + 1e-9))


def video_scores(cas_BCT: Tensor, k: int) -> Tensor:
    """s_c = mean of the k highest CAS[c, :]: [B, C] (Eq. 2)."""
    return highest(cas_BCT, k)[0]


def highest(cas_BCT: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The video scores [B, C], and the positions of the k highest that they are the means of, [B, C, k]."""
    top = cas_BCT.topk(k, dim=-1, sorted=False)
    return top.values.mean(-1), top.indices


def classification_loss(scores_BC1: Tensor, labels_BC: Tensor, *, background: bool) -> Tensor:
    """L_cls: cross-entropy of the video scores [B, C+1] against labels normalised to sum 1 (Eq. 3)."""
    column = torch.full_like(labels_BC[:, :1], float(background))
    target = torch.cat([labels_BC, column], dim=1)
    target = target / target.sum(1, keepdim=True).clamp_min(1e-8)
    return -(target * scores_BC1.log_softmax(1)).sum(1).mean()


def frame_loss(cas_BC1T: Tensor, clicks_BT: Tensor) -> Tensor:
    """L_frame: −log softmax(CAS[:, t])[background], mean over all clicks of the batch (Eq. 4)."""
    log_background_BT = cas_BC1T.log_softmax(1)[:, -1]
    weight = clicks_BT.to(cas_BC1T.dtype)
    return -(log_background_BT * weight).sum() / weight.sum().clamp_min(1)


def action_frame_loss(cas_BC1T: Tensor, clicks_BCT: Tensor) -> Tensor:
    """−log softmax(CAS[:, t])[c] at action clicks of class c, bool [B, C, T], mean over all clicks of the batch."""
    weight = clicks_BCT.to(cas_BC1T.dtype)
    return -(cas_BC1T.log_softmax(1)[:, :-1] * weight).sum() / weight.sum().clamp_min(1)


def filter_loss(filter_BT: Tensor, background_BT: Tensor, action_BT: Tensor) -> Tensor:
    """Binary cross-entropy of w_t, 0 wanted at background clicks and 1 at action clicks, mean over all of them."""
    wanted = torch.stack([torch.zeros_like(filter_BT), torch.ones_like(filter_BT)])
    each = functional.binary_cross_entropy(filter_BT.expand_as(wanted), wanted, reduction="none")
    weight = torch.stack([background_BT, action_BT]).to(each.dtype)
    return (each * weight).sum() / weight.sum().clamp_min(1)


def separation_loss(
    cas_BC1T: Tensor, scores_BC1: Tensor, labels_BC: Tensor, clicks_BT: Tensor, *, release: bool
) -> Tensor:
    """L_sep: push a class's video score, its top-k mean, above its mean at clicked background (Eq. 7-9).

    paper: −log p̂_act − log(1 − p̂_bg), which is −2·log p̂_act; release: −log p̂_act. Mean over the video's classes,
    then over videos that have clicks.
    """
    cas_BCT = cas_BC1T[:, :-1]
    weight_BT = clicks_BT.to(cas_BCT.dtype)
    count_B = weight_BT.sum(1)
    p_background_BC = torch.einsum("bct,bt->bc", cas_BCT, weight_BT) / count_B.clamp_min(1)[:, None]
    term_BC = functional.softplus(p_background_BC - scores_BC1[:, :-1]) * (1 if release else 2)
    per_video_B = (term_BC * labels_BC).sum(1) / labels_BC.sum(1).clamp_min(1)
    return mean_over(per_video_B, count_B > 0)


def action_counts(positions_BC1k: Tensor, labels_BC: Tensor, snippets: int) -> Tensor:
    """Potential action snippets: for how many of a video's classes a position is among the k highest, [B, T]."""
    chosen_BCT = labels_BC.new_zeros(*labels_BC.shape, snippets).scatter_(2, positions_BC1k[:, :-1], 1.0)
    return torch.einsum("bct,bc->bt", chosen_BCT, labels_BC)


def affinity_loss(
    embedding_BET: Tensor, counts_BT: Tensor, clicks_BT: Tensor, tau_same: float, tau_diff: float, *, release: bool
) -> Tensor:
    """L_aff: snippets of one group alike, of different groups unlike (Eq. 11-13). Mean over videos with clicks.

    `counts_BT` comes from `action_counts`. paper: the single hardest pair of each of three terms; release: four terms,
    the hardest partner of each row, averaged over rows (a row may be its own partner, and an action snippet chosen for
    two classes is two rows).
    """
    actions, action_weight = _gather(embedding_BET, counts_BT)
    clicks, click_weight = _gather(embedding_BET, clicks_BT.to(counts_BT.dtype))
    same_action, same_click = actions.transpose(1, 2) @ actions, clicks.transpose(1, 2) @ clicks
    across = actions.transpose(1, 2) @ clicks
    if release:
        terms = [
            _rows_same(same_action, action_weight, tau_same),
            _rows_same(same_click, click_weight, tau_same),
            _rows_different(across, action_weight, click_weight, tau_diff),
            _rows_different(across.transpose(1, 2), click_weight, action_weight, tau_diff),
        ]
    else:
        most = across.masked_fill(~_pairs(action_weight, click_weight), -FAR).amax((1, 2))
        terms = [
            _hardest_same(same_action, action_weight, tau_same),
            _hardest_same(same_click, click_weight, tau_same),
            (most - tau_diff).clamp_min(0),
        ]
    return mean_over(torch.stack(terms).sum(0), clicks_BT.any(1))


def mean_over(values_B: Tensor, chosen_B: Tensor) -> Tensor:
    """Mean of the chosen entries, zero where none is."""
    weight = chosen_B.to(values_B.dtype)
    return (values_B * weight).sum() / weight.sum().clamp_min(1)


def _gather(embedding_BET: Tensor, weight_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of the snippets with weight, [B, E, M], and their weights, [B, M]; M is the most any video has.

    Far fewer than T: the [T, T] similarities of which a loss would read a few hundred are never built. On a GPU M is T:
    counting would make the host wait, which costs more.
    """
    most = max(1, int((weight_BT > 0).sum(1).max())) if weight_BT.is_cpu else weight_BT.shape[1]
    weight_BM, position_BM = weight_BT.topk(most, dim=1)
    return embedding_BET.gather(2, position_BM[:, None].expand(-1, embedding_BET.shape[1], -1)), weight_BM


def _pairs(rows_BM: Tensor, columns_BK: Tensor) -> Tensor:
    return (rows_BM > 0)[:, :, None] & (columns_BK > 0)[:, None, :]


def _hardest_same(similarity_BMM: Tensor, weight_BM: Tensor, tau_same: float) -> Tensor:
    """max over u ≠ v of [τ_same − cos]₊: [B]; zero where the group has no pair."""
    self_pair = torch.eye(similarity_BMM.shape[-1], dtype=torch.bool, device=similarity_BMM.device)
    least = similarity_BMM.masked_fill(~_pairs(weight_BM, weight_BM) | self_pair, FAR).amin((1, 2))
    return (tau_same - least).clamp_min(0)


def _rows_same(similarity_BMM: Tensor, weight_BM: Tensor, tau_same: float) -> Tensor:
    least_BM = similarity_BMM.masked_fill((weight_BM == 0)[:, None, :], FAR).amin(2)
    return _weighted_mean((tau_same - least_BM).clamp_min(0), weight_BM)


def _rows_different(similarity_BMK: Tensor, weight_BM: Tensor, others_BK: Tensor, tau_diff: float) -> Tensor:
    most_BM = similarity_BMK.masked_fill((others_BK == 0)[:, None, :], -FAR).amax(2)
    return _weighted_mean((most_BM - tau_diff).clamp_min(0), weight_BM)


def _weighted_mean(values_BM: Tensor, weight_BM: Tensor) -> Tensor:
    return (values_BM * weight_BM).sum(1) / weight_BM.sum(1).clamp_min(1)
