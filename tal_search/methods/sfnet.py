"""SF-Net: single-frame (action-click) supervision for temporal action localization (Ma, Zhu, Yang, et al., ECCV 2020).

Variants differ in the negatives of the actionness loss (paper: the snippets of highest actionness; release: the last
snippets, with a guard, and no gradient from a loss of at most 0.1) and in how clicks grow. Both follow the release for
details the paper omits.

`lambda_sep` and `beta_aff` above 0 add BackTAL's L_sep and L_aff, with SF-Net's mined snippets in place of background
clicks (BackTAL paper, Table 13). L_aff needs an embedding: one linear layer on the last hidden layers of the class
heads, so that the loss reaches the features that are classified; a mined snippet is never in its action group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tal_search.data.features.streams import both_streams
from tal_search.data.sampling.settings import ANEW, CROP, KINDS, NATIVE, Sampling, SplitSampling
from tal_search.data.truth.facts import Facts
from tal_search.fields import hyper
from tal_search.localization.activations import Activations
from tal_search.methods.base import (
    MethodSpecification,
    Phase,
    Preset,
    TwoStreamMethod,
)
from tal_search.methods.hyperparameters import MethodHyperparameters
from tal_search.methods.presets import rate_for
from tal_search.nn.batch import Batch
from tal_search.types import ACTION_CLICKS, VIDEO_LABELS, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.sfnet import Output

TRAINING_SHARE = 8  # video scores in training: mean of the ⌈T/8⌉ highest of a video's T
INFERENCE_SHARE = 12  # video scores in inference: mean of the ⌊T/12⌋ highest
RELEASED_GUARD = 1e-3  # keeps the logarithm of 1 − σ(a) finite
RELEASED_LEAST = 0.1  # the sum of the three streams' actionness losses is minimised only above this value


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """Defaults are the release's for THUMOS14; a width of None follows the input (1024 on I3D)."""

    variant: str = hyper("paper", "variant", choices=("paper", "release"), help="where paper and released code differ")
    eta: float = hyper(7.0, "η", low=0, help="mined background snippets per clicked one; 0 = no mining")
    lambda_act: float = hyper(1.0, "λ_act", low=0, help="weight of the actionness loss; 0 = no actionness heads")
    expand_radius: int = hyper(3, "r", low=0, help="snippets a click may grow by on each side; 0 = no expansion")
    expand_score: float = hyper(0.95, "ξ", low=0, help="share of a click's score that a snippet needs to join it")
    expand_after: float = hyper(
        0.25, "s_expand", above=0, high=1, help="share of the epochs before clicks grow and training restarts"
    )
    lambda_sep: float = hyper(0.0, "λ", low=0, help="weight of BackTAL's separation loss on mined background")
    beta_aff: float = hyper(0.0, "β", low=0, help="weight of BackTAL's affinity loss on mined background; 0 = none")
    tau_same: float = hyper(0.5, "τ_same", low=-1, high=1, help="least similarity wanted within a group")
    tau_diff: float = hyper(0.1, "τ_diff", low=-1, high=1, help="greatest similarity allowed across groups")
    embedding_dim: int = hyper(32, "D_emb", low=1, help="channels of the embedding that the affinity loss needs")
    hidden_channels: int | None = hyper(None, "H", low=1, help="of each stream's heads; None = half the input channels")
    dropout: float = hyper(0.7, "dropout", low=0, high=0.99)
    steps: int = hyper(8000, "steps", low=1, help="in whole epochs: 1143 on THUMOS14's 200 videos")
    epochs: int | None = hyper(None, "epochs", low=1, help="None = as many as `steps` make")
    batch_size: int = hyper(32, "batch", low=1)
    learning_rate: float = hyper(1e-4, "lr", above=0)
    weight_decay: float = hyper(5e-4, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """Video labels and action clicks, whatever the settings."""
        return VIDEO_LABELS, ACTION_CLICKS


LEAST_WIDTH = 128  # of generic heads: on HAPT's 80 channels 48.2 held-out mAP@.5 where half the input has 43.6
# The release keeps classes above the highest score / 1.5, and suppresses nothing.
RULE = {"rule": "mean", "class_threshold": 1 / 1.5, "score_weight": 1.0, "nms": 1.0}
# By name; a preset lists only what differs from the defaults above and those of `Inference`. "adapted": every video is
# whole and has T snippets; "release": crops of native snippets, see docs/methods.md.
PRESETS = {
    "adapted": Preset(inference=RULE),
    "release": Preset(
        sampling=Sampling(
            training=SplitSampling(kind=CROP, lengths=(750, 2800), batches=ANEW), test=SplitSampling(kind=NATIVE)
        ),
        hyperparameters={"variant": "release"},
        inference=RULE,
    ),
    "simulated": Preset(
        snippets=200,
        hyperparameters={"epochs": 32, "batch_size": 16, "learning_rate": 2e-3, "schedule": "cosine"},
        inference=RULE,
    ),
}


def generic(facts: Facts) -> Preset:
    """The release's settings in a quarter of its steps, which a cosine makes up for; heads of 128 channels or more."""
    settings: dict[str, object] = {"steps": 2000, "learning_rate": rate_for(1e-4, facts), "schedule": "cosine"}
    if facts.channels is not None and facts.channels < 2 * LEAST_WIDTH:
        widened = replace(facts, channels=max(facts.channels, LEAST_WIDTH))
        settings |= {"hidden_channels": LEAST_WIDTH, "learning_rate": rate_for(1e-4, widened)}
    return Preset(hyperparameters=settings, inference=RULE)


class SFNet(TwoStreamMethod):
    """Class and actionness heads on two streams, mined background, and clicks that grow once (Sec. 3.2-3.4)."""

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS, ACTION_CLICKS)
    phases = (Phase("all"),)
    samplings = KINDS
    restarts = True

    def __init__(
        self, hyperparameters: Hyperparameters, channels: int, classes: int, streams: Sequence[int] = ()
    ) -> None:
        from tal_search.nn.sfnet import SFNetwork

        self.hyperparameters = hp = hyperparameters
        self.network = SFNetwork(
            both_streams(channels, streams),
            classes,
            hidden=hp.hidden_channels or max(1, channels // 2),
            dropout=hp.dropout,
            actionness=hp.lambda_act > 0,
            embedding_dim=hp.embedding_dim if hp.beta_aff > 0 else 0,
        )

    def prepare(self, epoch: int, batches: Callable[[], Iterator[Batch]]) -> bool:
        """Once, after `expand_after` of the epochs: grow the clicks by the fused CAS and restart training with them.

        The release does so after 2000 of its 8000 steps. `memory` then has the grown clicks, bool [N, C, L] by row of
        the training set and stored snippet.
        """
        from tal_search.nn import sfnet
        from tal_search.nn.batch import by_row

        hp = self.hyperparameters
        grow = sfnet.expanded_as_released if hp.variant == "release" else sfnet.expanded
        assert hp.epochs is not None, "hyperparameters.trained_on comes first"
        if hp.expand_radius == 0 or epoch != 1 + max(1, round(hp.expand_after * hp.epochs)):
            return False
        rows, parts = [], []
        for batch in batches():
            cas = self.network(batch.features, batch.valid).cas[-1][:, :-1]
            rows.append(batch.rows)
            parts.append(grow(cas, batch.action_clicks, hp.expand_radius, hp.expand_score, batch.length))
        self.memory = {"clicks": by_row(rows, parts, False)}  # held-out rows stay empty and unused
        return True

    def clicks_of(self, batch: Batch) -> torch.Tensor:
        """Action clicks of a batch, bool [B, C, T], grown ones included.

        Of snippets that are sampled, a click keeps its place on the nearest one where its own is not taken.
        """
        if not self.memory:
            return batch.action_clicks
        kept_BCT = batch.kept(self.memory["clicks"])
        if batch.position is None:
            return kept_BCT
        return batch.action_clicks | (kept_BCT & (batch.position >= 0)[:, None])

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """L_video, L_frame at clicks and on mined background, L_act, L_sep, L_aff and their weighted sum."""
        from tal_search.nn.losses import full_precision, with_total

        assert phase == "all", phase
        output = self.network(batch.features, batch.valid)
        with full_precision(batch.features):
            streams = self.stream_terms(output, batch.labels, self.clicks_of(batch), batch.length)
            terms = {name: sum(parts[1:], parts[0]) for name, parts in streams.items()}
        hp, channels = self.hyperparameters, output.cas[-1].shape[1]
        weights: dict[str, float | torch.Tensor] = {
            "background": 1 / channels, "actionness": hp.lambda_act, "sep": hp.lambda_sep, "aff": hp.beta_aff
        }  # fmt: skip
        if hp.variant == "release" and "actionness" in terms:
            weights["actionness"] = hp.lambda_act * (terms["actionness"] > RELEASED_LEAST)
        return with_total(terms, weights)

    def stream_terms(
        self, output: Output, labels: torch.Tensor, clicks: torch.Tensor, length: torch.Tensor | None = None
    ) -> dict[str, list[torch.Tensor]]:
        """Each unweighted loss of RGB, flow and fused; L_sep and L_aff of fused only. length: see `Batch`."""
        from tal_search.nn import losses, sfnet
        from tal_search.nn.arrays import full
        from tal_search.nn.batch import valid_snippets

        hp, clicked = self.hyperparameters, clicks.any(1)
        valid = None if length is None else valid_snippets(length, clicks.shape[-1])
        cas, actionness = ([full(each) for each in streams] for streams in (output.cas, output.actionness))
        background = [sfnet.mined(sequence[:, -1], clicked, hp.eta, valid) for sequence in cas]
        scores, chosen = zip(*[losses.highest_by(sequence, _pooled, length) for sequence in cas], strict=True)
        by_name = {
            "video": [sfnet.video_loss(score, labels) for score in scores],
            "frame": [sfnet.click_loss(sequence, clicks) for sequence in cas],
            "background": [losses.frame_loss(sequence, mask) for sequence, mask in zip(cas, background, strict=True)],
            "actionness": [self._actionness_loss(logits, clicked, valid) for logits in actionness],
        }
        if hp.lambda_sep > 0:
            by_name["sep"] = [losses.separation_loss(cas[-1], scores[-1], labels, background[-1], release=False)]
        if output.embedding is not None:
            # A snippet in both groups would always be the hardest pair, at a cosine of 1 without a useful gradient.
            counts = losses.action_counts(chosen[-1], labels).masked_fill(background[-1], 0)
            thresholds = hp.tau_same, hp.tau_diff
            by_name["aff"] = [
                losses.affinity_loss(output.embedding, counts, background[-1], *thresholds, release=False)
            ]
        return {name: parts for name, parts in by_name.items() if parts}

    def _actionness_loss(self, logits: torch.Tensor, clicked: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        from tal_search.nn import sfnet

        eta = self.hyperparameters.eta
        if self.hyperparameters.variant == "release":
            negatives = sfnet.last_unclicked(clicked, eta, valid)
            return sfnet.actionness_loss(logits, clicked, negatives, RELEASED_GUARD)
        return sfnet.actionness_loss(logits, clicked, sfnet.mined(logits, clicked, eta, valid))

    def activations(self, videos: VideoSet) -> Activations:
        """Fused CAS and actionness, both as logits; the scores are means of the highest CAS values."""
        from tal_search.nn import losses
        from tal_search.nn.arrays import evaluated, full

        def outputs(features: torch.Tensor) -> tuple[torch.Tensor, ...]:
            output = self.network(features)
            cas = full(output.cas[-1])
            actionness = full(output.actionness[-1]) if output.actionness else cas.new_zeros(cas.shape[::2])
            return cas, actionness, losses.video_scores(cas, max(1, cas.shape[-1] // INFERENCE_SHARE))

        cas, actionness, scores = evaluated(self.network, videos.features, outputs)
        return Activations.of(videos, cas=cas, attention=actionness, scores=scores)


def _pooled(snippets: int) -> int:
    """How many snippets a video's score in training is the mean of."""
    return math.ceil(snippets / TRAINING_SHARE)


SPECIFICATION = MethodSpecification(method=SFNet, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic)
