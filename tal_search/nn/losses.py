"""Losses of BackTAL (L_cls, L_frame, L_sep, L_aff; paper Eq. 2-13) and its baseline, and the total of any method.

Shapes: B videos, C classes (background has index C in a CAS), T snippets, E embedding channels. Click masks are bool
[B, T]. A batch or video without clicks contributes zero to every click term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tal_search.nn import top_k_loop

FAR = 4.0  # fills masked entries of extrema: "no pair"; greater than any cosine


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Context that keeps losses in float32 under mixed precision, on the device of `like`."""
    available = torch.amp.is_autocast_available(like.device.type)  # it is not on the device meta
    return torch.autocast(like.device.type, enabled=False) if available else nullcontext()


def with_total(terms: Mapping[str, Tensor], weights: Mapping[str, float | Tensor]) -> dict[str, Tensor]:
    """The terms and "total", their weighted sum; terms without a weight count once."""
    total = torch.stack([term * weights.get(name, 1.0) for name, term in terms.items()]).sum()
    return {**terms, "total": total}


def top_k(ratio: float, snippets: int) -> int:
    """k = max(1, ⌊ratio · T⌋)."""
    return max(1, int(ratio * snippets + 1e-9))


def video_scores(cas_BCT: Tensor, k: int) -> Tensor:
    """s_c = mean of the k highest CAS[c, :]: [B, C] (Eq. 2)."""
    return highest(cas_BCT, k)[0]


def highest(cas_BCT: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The video scores [B, C], and the mask of the k highest snippets they average, bool [B, C, T]."""
    if cas_BCT.is_cpu and cas_BCT.dtype == torch.float32:
        chosen = torch.from_numpy(top_k_loop.highest(cas_BCT.detach().view(torch.int32).numpy(), k))
    else:
        positions = cas_BCT.detach().topk(k, dim=-1, sorted=False).indices
        chosen = torch.zeros_like(cas_BCT, dtype=torch.bool).scatter_(2, positions, True)
    return cas_BCT.where(chosen, 0).sum(-1) / k, chosen


def pooled(cas_BCT: Tensor, ratio: float, length_B: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """As `highest` with k = max(1, ⌊ratio · T⌋); length_B: T of each video, None where no snippet is padding."""
    return highest_by(cas_BCT, lambda snippets: top_k(ratio, snippets), length_B)


def highest_by(cas_BCT: Tensor, k_of: Callable[[int], int], length_B: Tensor | None) -> tuple[Tensor, Tensor]:
    """As `highest` with k = k_of(T); length_B: T of each video, None where no snippet is padding."""
    if length_B is None:
        return highest(cas_BCT, k_of(cas_BCT.shape[-1]))
    scores, chosen_BCT = [], torch.zeros_like(cas_BCT, dtype=torch.bool)
    for row, length in enumerate(length_B.tolist()):
        score, chosen = highest(cas_BCT[row : row + 1, :, :length].contiguous(), k_of(length))
        scores.append(score)
        chosen_BCT[row, :, :length] = chosen[0]
    return torch.cat(scores), chosen_BCT


def classification_loss(scores_BC1: Tensor, labels_BC: Tensor, *, background: bool) -> Tensor:
    """L_cls: cross-entropy of the video scores [B, C+1] against labels normalised to sum 1 (Eq. 3)."""
    target_BC1 = _normalised_labels(labels_BC, background=background)
    return -(target_BC1 * scores_BC1.log_softmax(1)).sum(1).mean()


def binary_classification_loss(scores_BC1: Tensor, labels_BC: Tensor, *, background: bool) -> Tensor:
    """L_cls of BaS-Net's release: binary cross-entropy of the softmaxed video scores against the same labels, mean."""
    target_BC1 = _normalised_labels(labels_BC, background=background)
    return functional.binary_cross_entropy(scores_BC1.softmax(1), target_BC1.to(scores_BC1.dtype))


def _normalised_labels(labels_BC: Tensor, *, background: bool) -> Tensor:
    """Labels with background in the last column, divided by their sum: [B, C+1]."""
    column_B1 = torch.full_like(labels_BC[:, :1], float(background))
    target_BC1 = torch.cat([labels_BC, column_B1], dim=1)
    return target_BC1 / target_BC1.sum(1, keepdim=True).clamp_min(1e-8)


def frame_loss(cas_BC1T: Tensor, clicks_BT: Tensor, *, per_video: bool = False) -> Tensor:
    """L_frame: −log softmax(CAS[:, t])[background], mean over all clicks of the batch, as released.

    per_video: mean over the clicks of a video (Eq. 4, whose N_frame counts those of "this video"), then over the videos
    that have clicks.
    """
    return _mean_at(-cas_BC1T.log_softmax(1)[:, -1:], clicks_BT[:, None], per_video=per_video)


def action_frame_loss(cas_BC1T: Tensor, clicks_BCT: Tensor, *, per_video: bool = False) -> Tensor:
    """−log softmax(CAS[:, t])[c] at action clicks of class c, bool [B, C, T]; averaged as in `frame_loss`."""
    return _mean_at(-cas_BC1T.log_softmax(1)[:, :-1], clicks_BCT, per_video=per_video)


def _mean_at(values_BCT: Tensor, clicks_BCT: Tensor, *, per_video: bool) -> Tensor:
    weight_BCT = clicks_BCT.to(values_BCT.dtype)
    sum_B, count_B = (values_BCT * weight_BCT).sum((1, 2)), weight_BCT.sum((1, 2))
    if per_video:
        return mean_over(sum_B / count_B.clamp_min(1), count_B > 0)
    return sum_B.sum() / count_B.sum().clamp_min(1)


def filter_loss(filter_BT: Tensor, background_BT: Tensor, action_BT: Tensor) -> Tensor:
    """Binary cross-entropy of w_t with target 0 at background clicks and 1 at action clicks, mean over all clicks."""
    target = torch.stack([torch.zeros_like(filter_BT), torch.ones_like(filter_BT)])
    each = functional.binary_cross_entropy(filter_BT.expand_as(target), target, reduction="none")
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


def action_counts(chosen_BC1T: Tensor, labels_BC: Tensor) -> Tensor:
    """Potential action snippets: the number of a video's classes for which a snippet is in the top k, [B, T]."""
    return torch.einsum("bct,bc->bt", chosen_BC1T[:, :-1].to(labels_BC.dtype), labels_BC)


def affinity_loss(
    embedding_BET: Tensor, counts_BT: Tensor, clicks_BT: Tensor, tau_same: float, tau_diff: float, *, release: bool
) -> Tensor:
    """L_aff: snippets of one group similar, of different groups dissimilar (Eq. 11-13). Mean over videos with clicks.

    `counts_BT` comes from `action_counts`. paper: the single hardest pair of each of three terms; release: four terms,
    the hardest partner of each row, averaged over rows (a row may be its own partner, and an action snippet chosen for
    two classes is two rows).
    """
    click_weight_BT = clicks_BT.to(counts_BT.dtype)
    terms_of = _row_terms if release else _hardest_terms
    terms = terms_of(embedding_BET, counts_BT, click_weight_BT, tau_same, tau_diff)
    return mean_over(torch.stack(terms).sum(0), clicks_BT.any(1))


def mean_over(values_B: Tensor, chosen_B: Tensor) -> Tensor:
    """Mean of the chosen entries, zero if there are none."""
    weight = chosen_B.to(values_B.dtype)
    return (values_B * weight).sum() / weight.sum().clamp_min(1)


def _hardest_terms(
    embedding_BET: Tensor, counts_BT: Tensor, clicks_BT: Tensor, tau_same: float, tau_diff: float
) -> list[Tensor]:
    """[τ_same − cos]₊ of each group's least similar pair u ≠ v, [cos − τ_diff]₊ of the most similar pair across.

    Zero where there is no such pair. All pairs are compared without a gradient; only the three hardest pairs get one.
    """
    with torch.no_grad():
        actions, clicks = _gather(embedding_BET, counts_BT), _gather(embedding_BET, clicks_BT)
        hardest = [_hardest(actions, actions, -1), _hardest(clicks, clicks, -1), _hardest(actions, clicks, 1)]
        positions_B6 = torch.cat([pair_B2 for pair_B2, _ in hardest], dim=1)
    pairs_BE6 = _at(embedding_BET, positions_B6)
    cosines = (pairs_BE6[..., ::2] * pairs_BE6[..., 1::2]).sum(1).unbind(1)
    terms = [tau_same - cosines[0], tau_same - cosines[1], cosines[2] - tau_diff]
    return [term.clamp_min(0) * exists for term, (_, exists) in zip(terms, hardest, strict=True)]


def _hardest(rows: Group, columns: Group, sign: int) -> tuple[Tensor, Tensor]:
    """The pair of snippets [B, 2] with the greatest sign · cosine, never a row with itself; whether one exists, [B]."""
    allowed_BMK = (rows.weight > 0)[:, :, None] & (columns.weight > 0)[:, None, :]
    if rows is columns:
        allowed_BMK &= ~torch.eye(allowed_BMK.shape[-1], dtype=torch.bool, device=allowed_BMK.device)
    ranked_BMK = (sign * (rows.vectors.mT @ columns.vectors)).masked_fill(~allowed_BMK, -FAR)
    greatest, index = ranked_BMK.flatten(1).max(1, keepdim=True)
    row, column = index // allowed_BMK.shape[-1], index % allowed_BMK.shape[-1]
    return torch.cat([rows.position.gather(1, row), columns.position.gather(1, column)], 1), greatest[:, 0] > -FAR


def _row_terms(
    embedding_BET: Tensor, counts_BT: Tensor, clicks_BT: Tensor, tau_same: float, tau_diff: float
) -> list[Tensor]:
    """The four terms of the release: the hardest partner of every row, averaged over the rows."""
    actions, clicks = _gather(embedding_BET, counts_BT), _gather(embedding_BET, clicks_BT)
    across = actions.vectors.mT @ clicks.vectors
    return [
        _rows_same(actions, tau_same),
        _rows_same(clicks, tau_same),
        _rows_different(across, actions.weight, clicks.weight, tau_diff),
        _rows_different(across.mT, clicks.weight, actions.weight, tau_diff),
    ]


class Group(NamedTuple):
    """The weighted snippets of each video, M the most of any video: vectors [B, E, M], weight and position [B, M]."""

    vectors: Tensor
    weight: Tensor
    position: Tensor


def _gather(embedding_BET: Tensor, weight_BT: Tensor) -> Group:
    """Gather the snippets with weight, far fewer than T, so that no [T, T] similarities are computed.

    On a GPU M is T: counting them would make the host wait, which costs more.
    """
    most = max(1, int((weight_BT > 0).sum(1).max())) if weight_BT.is_cpu else weight_BT.shape[1]
    weight_BM, position_BM = weight_BT.topk(most, dim=1)
    return Group(_at(embedding_BET, position_BM), weight_BM, position_BM)


def _at(embedding_BET: Tensor, position_BM: Tensor) -> Tensor:
    return embedding_BET.gather(2, position_BM[:, None].expand(-1, embedding_BET.shape[1], -1))


def _rows_same(group: Group, tau_same: float) -> Tensor:
    similarity_BMM, weight_BM = group.vectors.mT @ group.vectors, group.weight
    least_BM = similarity_BMM.masked_fill((weight_BM == 0)[:, None, :], FAR).amin(2)
    return _weighted_mean((tau_same - least_BM).clamp_min(0), weight_BM)


def _rows_different(similarity_BMK: Tensor, weight_BM: Tensor, others_BK: Tensor, tau_diff: float) -> Tensor:
    most_BM = similarity_BMK.masked_fill((others_BK == 0)[:, None, :], -FAR).amax(2)
    return _weighted_mean((most_BM - tau_diff).clamp_min(0), weight_BM)


def _weighted_mean(values_BM: Tensor, weight_BM: Tensor) -> Tensor:
    return (values_BM * weight_BM).sum(1) / weight_BM.sum(1).clamp_min(1)
