"""A plain training step of BackTAL, written directly from the paper: unfold, multiply by the mask, convolve; twice.

The baseline of `bench_step`, in float32, for both variants. `tests/trial/test_loop.py` checks it against the golden
values. Uses nothing of the project except the names of its parameters.

Shapes: B videos, D channels, H hidden channels, C classes, T snippets, h taps.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]
TAU_SAME, TAU_DIFF, BETA, K_RATIO = 0.5, 0.1, 0.8, 1 / 8


def mask(embedding: Tensor, taps: int, channels: int, variant: str) -> Tensor:
    """Similarities in the layout of an unfolded input: [B, channels·h, T]."""
    batch, dimension, snippets = embedding.shape
    neighbours = unfold(embedding, taps).view(batch, dimension, taps, snippets)
    similarity = (neighbours * embedding[:, :, None]).sum(1)
    if variant == "release":  # tap-major, although the rows are channel-major
        return similarity.repeat_interleave(channels, dim=1)
    return similarity.repeat(1, channels, 1)


def unfold(inputs: Tensor, taps: int) -> Tensor:
    """[B, D·h, T], row c·h + i."""
    return functional.unfold(inputs[:, :, None], (1, taps), padding=(0, taps // 2))


def affinity_convolution(inputs: Tensor, weight: Tensor, embedding: Tensor, variant: str) -> Tensor:
    hidden, channels, taps = weight.shape
    return weight.view(hidden, -1) @ (unfold(inputs, taps) * mask(embedding, taps, channels, variant))


def branch(inputs: Tensor, embedding: Tensor, weights: Weights, variant: str, dropout: float) -> Tensor:
    """CAS [B, C+1, T]."""
    for layer in ("conv_1", "conv_2"):
        summed = affinity_convolution(inputs, weights[f"base_module.{layer}.weight"], embedding, variant)
        inputs = functional.leaky_relu(summed, 0.01)
    return functional.conv1d(functional.dropout(inputs, dropout), weights["classifier_module.conv.weight"])


def convolution(inputs: Tensor, weights: Weights, name: str) -> Tensor:
    weight = weights[f"{name}.weight"]
    return functional.conv1d(inputs, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)


def losses(
    weights: Weights, features: Tensor, labels: Tensor, clicked: Tensor, *, variant: str, dropout: float = 0.0
) -> dict[str, Tensor]:
    """The six losses and their weighted sum, with λ = 1 and β = 0.8."""
    hidden = functional.leaky_relu(convolution(features, weights, "embedding_module.conv_1"), 0.01)
    embedding = functional.normalize(convolution(hidden, weights, "embedding_module.conv_2"), dim=1)
    hidden = functional.leaky_relu(convolution(features, weights, "filter_module.conv_1.0"), 0.01)
    gate = torch.sigmoid(convolution(hidden, weights, "filter_module.conv_2.0"))
    base = branch(features, embedding, weights, variant, dropout)
    suppressed = branch(gate * features, embedding, weights, variant, dropout)
    k = max(1, int(K_RATIO * features.shape[-1]))
    with_clicks = [video for video in range(len(features)) if clicked[video].any()]
    terms = {
        "cls_base": classification(base, labels, k, 1.0),
        "cls_supp": classification(suppressed, labels, k, 0.0),
        "norm": gate.sum((1, 2)).mean(),
        "frame": frame([-base[v].log_softmax(0)[-1, clicked[v]] for v in with_clicks], variant),
        "sep": mean([separation(base[v], labels[v], clicked[v], k, variant) for v in with_clicks]),
        "aff": mean([affinity(embedding[v], suppressed[v], labels[v], clicked[v], k, variant) for v in with_clicks]),
    }
    factors = {"norm": 1e-4, "aff": BETA}
    return {**terms, "total": torch.stack([factors.get(name, 1.0) * term for name, term in terms.items()]).sum()}


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean() if values else torch.zeros(())


def frame(clicks_by_video: list[Tensor], variant: str) -> Tensor:
    """Mean over the clicks of each video, then over videos; variant "release": over all clicks."""
    groups = [torch.cat(clicks_by_video)] if variant == "release" and clicks_by_video else clicks_by_video
    return mean([clicks.mean() for clicks in groups])


def classification(cas: Tensor, labels: Tensor, k: int, background: float) -> Tensor:
    scores = cas.topk(k, dim=-1).values.mean(-1)
    target = functional.pad(labels, (0, 1), value=background)
    return functional.cross_entropy(scores, target / target.sum(1, keepdim=True))


def separation(cas: Tensor, labels: Tensor, clicked: Tensor, k: int, variant: str) -> Tensor:
    terms = []
    for label in labels.nonzero().flatten().tolist():
        pair = torch.stack([cas[label].topk(k).values.mean(), cas[label, clicked].mean()]).softmax(0)
        terms.append(-pair[0].log() - (0 if variant == "release" else (1 - pair[1]).log()))
    return mean(terms)


def affinity(embedding: Tensor, cas: Tensor, labels: Tensor, clicked: Tensor, k: int, variant: str) -> Tensor:
    chosen = torch.cat([cas[label].topk(k).indices for label in labels.nonzero().flatten().tolist()])
    actions = embedding[:, chosen if variant == "release" else torch.unique(chosen)]
    clicks = embedding[:, clicked]
    across = actions.T @ clicks
    if variant == "release":
        same = [(TAU_SAME - (group.T @ group).amin(1)).clamp_min(0).mean() for group in (actions, clicks)]
        different = [(across.amax(dim) - TAU_DIFF).clamp_min(0).mean() for dim in (1, 0)]
        return torch.stack(same + different).sum()
    same = [hardest_pair(group) for group in (actions, clicks) if group.shape[1] > 1]
    return torch.stack([*same, (across.amax() - TAU_DIFF).clamp_min(0)]).sum()


def hardest_pair(group: Tensor) -> Tensor:
    cosine = group.T @ group
    return (TAU_SAME - cosine[~torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)].min()).clamp_min(0)


class Step:
    """Weights and optimizer; a call is one training step in float32."""

    def __init__(self, weights: Weights, variant: str, dropout: float) -> None:
        # Channel-major and contiguous, like the weights of a plain Conv1d.
        self.weights = {
            name: tensor.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
            for name, tensor in weights.items()
        }
        self.variant, self.dropout = variant, dropout
        self.optimizer = torch.optim.Adam(self.weights.values(), lr=1e-4, weight_decay=5e-4)

    def __call__(self, features: Tensor, labels: Tensor, clicked: Tensor) -> dict[str, Tensor]:
        terms = losses(self.weights, features, labels, clicked, variant=self.variant, dropout=self.dropout)
        self.optimizer.zero_grad()
        terms["total"].backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return terms
