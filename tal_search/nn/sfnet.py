"""SF-Net's network, losses and click expansion (Ma, Zhu, Yang, et al., ECCV 2020, Sec. 3.2-3.4; layers as released).

Shapes: B videos, D input channels, H hidden channels of a stream, E embedding channels, C classes (background has
index C in a CAS), T snippets. Click masks are bool: [B, C, T] by class, [B, T] over all classes. A batch or video
without clicks contributes zero to every click term. Padding, snippets from a video's `length` on, has features of zero
and no clicks, and enters nothing; valid bool [B, T] and length int64 [B] are None where nothing is padded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tal_search.nn.affinity import shifted
from tal_search.nn.arrays import full
from tal_search.nn.batch import valid_snippets
from tal_search.nn.losses import classification_loss, mean_over


@dataclass(frozen=True)
class Output:
    """CAS [B, C+1, T] and actionness logits [B, T] of RGB, flow and fused; unit embedding [B, E, T].

    Actionness is empty and the embedding None if the network has none.
    """

    cas: tuple[Tensor, ...]
    actionness: tuple[Tensor, ...]
    embedding: Tensor | None


def _head(channels: int, hidden: int, taps: int) -> nn.Sequential:
    """Two convolutions, each followed by ReLU; with one tap they are linear layers applied to snippets."""
    first = nn.Conv1d(channels, hidden, taps, padding=taps // 2)
    second = nn.Conv1d(hidden, hidden, taps, padding=taps // 2)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


class Stream(nn.Module):
    """Class head: 2 × (Linear, ReLU), dropout, Linear → C+1. Actionness head: 2 × (Conv1d of 3, ReLU), Linear → 1."""

    def __init__(self, channels: int, hidden: int, classes: int, dropout: float, *, actionness: bool) -> None:
        super().__init__()
        self.class_head = _head(channels, hidden, 1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv1d(hidden, classes + 1, 1)
        if actionness:
            self.actionness_head = _head(channels, hidden, 3)
            self.actionness_classifier = nn.Conv1d(hidden, 1, 1)

    def forward(self, features_BDT: Tensor) -> tuple[Tensor, Tensor]:
        """The last hidden layer of the class head [B, H, T], and the CAS [B, C+1, T]."""
        hidden_BHT = self.class_head(features_BDT)
        return hidden_BHT, self.classifier(self.dropout(hidden_BHT))

    def actionness(self, features_BDT: Tensor, valid_BT: Tensor | None = None) -> Tensor:
        """Logits [B, T]; those of padding have no meaning."""
        first, activate, second, _ = self.actionness_head
        hidden_BHT = activate(first(features_BDT))
        if valid_BT is not None:  # the second convolution reads beside a video what it reads beyond the longest: zeros
            hidden_BHT = hidden_BHT * valid_BT[:, None]
        logits_B1T: Tensor = self.actionness_classifier(activate(second(hidden_BHT)))
        return logits_B1T[:, 0]


class SFNetwork(nn.Module):
    """Two streams; learned weights per class fuse their CAS, weights that start at 0 their actionness.

    sizes: the channels of RGB, which come first, and of flow. embedding_dim: channels of an embedding of both streams'
    hidden layers, for the affinity loss; 0 = none.
    """

    def __init__(
        self, sizes: tuple[int, int], classes: int, *, hidden: int, dropout: float, actionness: bool, embedding_dim: int
    ) -> None:
        super().__init__()
        self.sizes = [*sizes]
        self.streams = nn.ModuleList(Stream(size, hidden, classes, dropout, actionness=actionness) for size in sizes)
        self.embedding = nn.Conv1d(2 * hidden, embedding_dim, 1) if embedding_dim else None
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        self.class_weights = nn.Parameter(torch.ones(2, classes + 1, 1))
        self.actionness_weights = nn.Parameter(torch.zeros(2)) if actionness else None

    def forward(self, features_BDT: Tensor, valid_BT: Tensor | None = None) -> Output:
        parts = torch.split(features_BDT, self.sizes, dim=1)
        hidden, cas = zip(*(stream(part) for stream, part in zip(self.streams, parts, strict=True)), strict=True)
        fused = cas[0] * self.class_weights[0] + cas[1] * self.class_weights[1]
        actionness: tuple[Tensor, ...] = ()
        if self.actionness_weights is not None:
            rgb, flow = (stream.actionness(part, valid_BT) for stream, part in zip(self.streams, parts, strict=True))  # type: ignore[operator]
            actionness = (rgb, flow, rgb * self.actionness_weights[0] + flow * self.actionness_weights[1])
        embedding = None
        if self.embedding is not None:
            embedding = functional.normalize(full(self.embedding(torch.cat(hidden, dim=1))), dim=1)
        return Output(cas=(*cas, fused), actionness=actionness, embedding=embedding)


def mined(scores_BT: Tensor, clicked_BT: Tensor, ratio: float, valid_BT: Tensor | None = None) -> Tensor:
    """Pseudo background: the highest-scoring snippets without a click, over the whole batch: bool [B, T].

    Each video adds ⌊ratio · its clicked snippets⌋ to their number, at most its unclicked snippets; a video without
    clicks adds none and none of its snippets is mined. Ties are broken by order.
    """
    count_B = clicked_BT.sum(1)
    length_B = clicked_BT.shape[1] if valid_BT is None else valid_BT.sum(1)
    quota_B = torch.minimum((count_B * ratio).floor(), length_B - count_B)
    candidates_BT = ~clicked_BT & (quota_B > 0)[:, None]
    if valid_BT is not None:
        candidates_BT &= valid_BT
    flat = scores_BT.detach().masked_fill(~candidates_BT, -torch.inf).flatten()
    order = flat.argsort(descending=True, stable=True)
    places = torch.arange(len(flat), device=flat.device)
    rank_BT = torch.empty_like(order).scatter_(0, order, places).view_as(scores_BT)
    return candidates_BT & (rank_BT < quota_B.sum())


def last_unclicked(clicked_BT: Tensor, ratio: float, valid_BT: Tensor | None = None) -> Tensor:
    """The release's negatives of the actionness loss: as many as `mined` takes, but the last snippets of the batch.

    The release intends to sort by actionness, but sorts along an axis of length 1, which keeps the order.
    """
    places = torch.arange(clicked_BT.numel(), device=clicked_BT.device, dtype=torch.float32)
    return mined(places.view(clicked_BT.shape), clicked_BT, ratio, valid_BT)


def video_loss(scores_BC1: Tensor, labels_BC: Tensor) -> Tensor:
    """Cross-entropy of video scores against labels normalised to sum 1 (background 0), mean over labelled videos."""
    labelled = (labels_BC > 0).any(1).sum().clamp_min(1)
    return classification_loss(scores_BC1, labels_BC, background=False) * len(labels_BC) / labelled


def click_loss(cas_BC1T: Tensor, clicks_BCT: Tensor) -> Tensor:
    """Cross-entropy at clicked snippets, mean over the batch; several classes of a snippet have equal shares."""
    clicks_BCT = clicks_BCT.to(cas_BC1T.dtype)
    shares_BCT = clicks_BCT / clicks_BCT.sum(1, keepdim=True).clamp_min(1)
    entropy_BT = -(cas_BC1T.log_softmax(1)[:, :-1] * shares_BCT).sum(1)
    return mean_over(entropy_BT, shares_BCT.sum(1) > 0)


def actionness_loss(logits_BT: Tensor, clicked_BT: Tensor, background_BT: Tensor, guard: float = 0.0) -> Tensor:
    """−log σ(a), mean over clicked snippets, and −log(1 + guard − σ(a)), mean over negatives."""
    positive = mean_over(functional.softplus(-logits_BT), clicked_BT)
    each_BT = -(1 + guard - logits_BT.sigmoid()).log() if guard else functional.softplus(logits_BT)
    return positive + mean_over(each_BT, background_BT)


def expanded(cas_BCT: Tensor, clicks_BCT: Tensor, radius: int, share: float, length_B: Tensor | None = None) -> Tensor:
    """Clicks grown to both sides by up to `radius` snippets: bool [B, C, T] including the clicks (Sec. 3.4).

    `cas_BCT` has no background. A click of class c grows to a side while c is the snippet's highest class, its score of
    c is at least `share` of the click's, and it is not clicked itself. The order of clicks does not matter.
    """
    classes = torch.arange(cas_BCT.shape[1], device=cas_BCT.device)
    wins_BCT, free_BT = cas_BCT.argmax(1)[:, None] == classes[:, None], ~clicks_BCT.any(1)
    if length_B is not None:
        free_BT &= valid_snippets(length_B, cas_BCT.shape[2])
    grown_BCT = clicks_BCT
    for direction in (-1, 1):
        alive_BCT = clicks_BCT
        for offset in range(direction, direction * (radius + 1), direction):
            joins_BCT = shifted(wins_BCT, offset) & (shifted(cas_BCT, offset) >= share * cas_BCT)
            alive_BCT = alive_BCT & shifted(free_BT, offset)[:, None] & joins_BCT  # none is free outside the video
            grown_BCT = grown_BCT | shifted(alive_BCT, -offset)
    return grown_BCT


def expanded_as_released(
    cas_BCT: Tensor, clicks_BCT: Tensor, radius: int, share: float, length_B: Tensor | None = None
) -> Tensor:
    """The release's variant of `expanded`: click by click in order of time, in place. Same shapes.

    A side of the click at i ends at a snippet that has a label, given or grown, or at the video's end. The snippet at
    i + o joins, with all classes of the click's snippet, if i ± 1, i + o and the next snippet have the same highest
    class, whatever it is, and its mean score of the click's classes is at least `share` of the click's. A snippet that
    does not join does not end the side.
    """
    grown_BCT = clicks_BCT.cpu().numpy().copy()
    lengths = [cas_BCT.shape[2]] * len(grown_BCT) if length_B is None else length_B.tolist()
    for cas_CT, labels_CT, length in zip(cas_BCT.detach().cpu().double().numpy(), grown_BCT, lengths, strict=True):
        for click in np.flatnonzero(labels_CT.any(0)):
            for side in (-1, 1):
                _grow_side(cas_CT[:, :length], labels_CT[:, :length], int(click), side, radius, share)
    return torch.from_numpy(grown_BCT).to(clicks_BCT.device)


def _grow_side(
    cas_CT: NDArray[np.float64], labels_CT: NDArray[np.bool_], click: int, side: int, radius: int, share: float
) -> None:
    best_T, classes_C = cas_CT.argmax(0), labels_CT[:, click]
    least = share * cas_CT[classes_C, click].mean()
    for at in range(click + side, click + side * (radius + 1), side):
        if not 0 <= at + side < cas_CT.shape[1] or labels_CT[:, at].any():
            return
        alike = best_T[click + side] == best_T[at] == best_T[at + side]
        if alike and cas_CT[classes_C, at].mean() >= least:
            labels_CT[:, at] = classes_C
