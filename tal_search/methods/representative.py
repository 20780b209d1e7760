"""Representative segments: action clicks grown to segments over several rounds of compensation sampling.

Three modules: short proposals are sampled more densely, features are redistributed by prototypes, and the segment of
highest inner–outer contrast represents its class. Choices for details that our source, notes on the method, omits:
- Rounds share the epochs evenly and continue from the weights of the previous round.
- Proposals are the runs of P_c above a share of its highest value, for a training video's labelled classes.
- The pseudo-instances of a round are the proposals that hold exactly one click, and the remaining clicks as single
  snippets; in the first round, all clicks as single snippets.
- As in LACP (Lee and Byun, ICCV 2021): L_vid is a mean over classes, of video scores from S_c itself; L_ins takes the
  pseudo-instances, and background between the clicks, before the first and after the last, each divided by its own
  number of snippets.
- τ counts the snippets that the network sees: where a step takes every second stored one, proposals are half as long.
- A window is a video, whose first and last sections have background too; a proposal that it cuts keeps its length.
- Test videos are read twice: as they are, for proposals of the classes that score at least half of the highest, then
  resampled by these proposals. Localization reads the sequences of the second pass, mapped back to the original time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tal_search.data.sampling.settings import KINDS
from tal_search.data.truth.facts import Facts
from tal_search.fields import hyper
from tal_search.localization.activations import Activations
from tal_search.methods.base import ActivationMethod, MethodSpecification, Phase, Preset
from tal_search.methods.hyperparameters import MethodHyperparameters
from tal_search.methods.presets import rate_for
from tal_search.nn.batch import Batch
from tal_search.types import ACTION_CLICKS, VIDEO_LABELS, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.compensation import Resampling
    from tal_search.nn.representative import Output

PRESENT = 0.5  # share of the highest video score that a class needs to have proposals in a test video


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """Defaults are for THUMOS14 on I3D features. tau, omega or lambda_representative 0 switches that module off."""

    rounds: int = hyper(3, "rounds", low=1, help="of training; from the second on, videos are resampled by proposals")
    tau: float = hyper(16.0, "τ", low=0, help="snippets that a shorter proposal is stretched to; 0 = no compensation")
    stretch: float = hyper(2.0, "stretch", low=1, high=8, help="longest resampled video, in T")
    proposal_threshold: float = hyper(0.5, "θ", above=0, high=1, help="of a proposal, share of its class's highest P_c")
    prototypes: int = hyper(8, "K", low=1, help="of features, learned")
    omega: float = hyper(0.5, "ω", low=0, high=1, help="share of the prototypes in features; 0 = no redistribution")
    lambda_video: float = hyper(1.0, "λ1", low=0, help="weight of L_vid")
    lambda_point: float = hyper(1.0, "λ2", low=0, help="weight of L_point")
    lambda_representative: float = hyper(1.0, "λ3", low=0, help="weight of L_score + L_feat; 0 = no such segments")
    lambda_instance: float = hyper(1.0, "λ4", low=0, help="weight of L_ins")
    k_ratio: float = hyper(1 / 8, "k/T", above=0, high=1, help="share of snippets in top-k aggregation")
    hidden_channels: int | None = hyper(None, "H", low=1, help="None = input channels")
    dropout: float = hyper(0.7, "dropout", low=0, high=0.99)
    steps: int = hyper(
        1170, "steps", low=1, help="of all rounds together, in whole epochs: 90 on THUMOS14's 200 videos"
    )
    epochs: int | None = hyper(None, "epochs", low=1, help="of all rounds together; None = as many as `steps` make")
    batch_size: int = hyper(16, "batch", low=1)
    learning_rate: float = hyper(1e-4, "lr", above=0)
    weight_decay: float = hyper(5e-4, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """Video labels, and action clicks unless the weights of all three losses on them are 0."""
        clicks = max(self.lambda_point, self.lambda_representative, self.lambda_instance) > 0
        return (VIDEO_LABELS, ACTION_CLICKS) if clicks else (VIDEO_LABELS,)


# P_c lies between 0 and 1, and so do the thresholds: chosen on held-out training videos of the simulated set, where
# LACP's class threshold is the best or within .3 points of it (.05 to .7; GTEA and THUMOS14).
SEQUENCE = {"class_threshold": 0.5, "activation_low": 0.1, "activation_high": 0.9, "activation_step": 0.1}
SIMULATED = {"epochs": 30, "learning_rate": 4e-3, "dropout": 0.5, "tau": 6.0, "proposal_threshold": 0.8}
PRESETS = {
    "adapted": Preset(inference=SEQUENCE),
    "simulated": Preset(snippets=200, hyperparameters=SIMULATED, inference=SEQUENCE),
}


def generic(facts: Facts) -> Preset:
    """The defaults with a rate for the width; every class has a score of its own, so no threshold depends on them."""
    settings = {"learning_rate": rate_for(1e-4, facts), "schedule": "cosine"}
    return Preset(hyperparameters=settings, inference=SEQUENCE)


class Representative(ActivationMethod):
    """Four losses on P_c = S_c · (1 − S_bg), and rounds that feed proposals back to the sampling of the features."""

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS, ACTION_CLICKS)
    phases = (Phase("all"),)
    samplings = KINDS

    def __init__(self, hyperparameters: Hyperparameters, channels: int, classes: int) -> None:
        from tal_search.nn.representative import Network

        self.hyperparameters = hp = hyperparameters
        self.network = Network(
            channels, classes, hidden=hp.hidden_channels or channels, prototypes=hp.prototypes, omega=hp.omega,
            dropout=hp.dropout,
        )  # fmt: skip
        self.memory = {}

    @property
    def memory(self) -> Mapping[str, torch.Tensor]:
        """Of the L stored snippets of the training videos, from the second round on.

        lengths float64 [N, L], of the shortest proposal around each, infinite outside; instances bool [N, C, L].
        """
        return self._memory

    @memory.setter
    def memory(self, memory: Mapping[str, torch.Tensor]) -> None:
        from tal_search.nn.compensation import Resampling, sampling_weights

        self._memory, self._most = memory, None
        if memory:  # the same length for every batch of whole videos, so that no step waits for its longest one
            weights = sampling_weights(memory["lengths"], self.hyperparameters.tau)
            self._most = Resampling.of(weights, self.hyperparameters.stretch).most

    def round_of(self, epoch: int) -> int:
        """The round of an epoch, both counted from 1; rounds share the epochs evenly."""
        rounds, epochs = self.hyperparameters.rounds, self.hyperparameters.epochs
        assert epochs is not None, "hyperparameters.trained_on comes first"
        return 1 + (epoch - 1) * rounds // epochs

    def prepare(self, epoch: int, batches: Callable[[], Iterator[Batch]]) -> bool:
        """Start every round but the first with proposals of the training videos, for resampling and as instances."""
        import torch

        from tal_search.nn.batch import by_row

        self.network.round.fill_(self.round_of(epoch))  # type: ignore[operator]
        if epoch == 1 or self.round_of(epoch) == self.round_of(epoch - 1):
            return False
        parts = [(batch.rows, *self._proposals_of(batch)) for batch in batches()]
        rows, lengths, instances = zip(*parts, strict=True)
        self.memory = {"lengths": by_row(rows, lengths, torch.inf), "instances": by_row(rows, instances, False)}
        return False

    def _proposals_of(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Lengths [B, T] of the labelled classes' proposals, and pseudo-instances [B, C, T]."""
        from tal_search.nn import compensation

        resampling = self._resampling(batch)
        scores = self.network(resampling.features(batch.features), resampling.valid_BP).scores
        hp, clicks = self.hyperparameters, resampling.clicks(batch.action_clicks)
        proposed = compensation.proposals(scores[:, :-1], batch.labels > 0, hp.proposal_threshold, resampling.valid_BP)
        instances = compensation.instances(proposed, clicks, resampling)
        return compensation.shortest_lengths(proposed, resampling), instances

    def _resampling(self, batch: Batch) -> Resampling:
        """How this round resamples the videos of the batch."""
        from tal_search.nn.compensation import Resampling, sampling_weights

        hp = self.hyperparameters
        if not self._memory:
            return Resampling.even(batch.features, batch.length)
        lengths = batch.kept(self._memory["lengths"]) / batch.stored_per_snippet[:, None]
        most = self._most if batch.position is None and batch.length is None else None
        return Resampling.of(sampling_weights(lengths, hp.tau), hp.stretch, most, batch.length)

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """L_vid, L_point, L_score, L_feat, L_ins and their weighted sum."""
        from tal_search.nn.losses import full_precision, with_total

        assert phase == "all", phase
        resampling = self._resampling(batch)
        output = self.network(resampling.features(batch.features), resampling.valid_BP)
        with full_precision(batch.features):
            terms = self._terms(output, batch, resampling)
        hp = self.hyperparameters
        weights = {
            "video": hp.lambda_video, "point": hp.lambda_point, "score": hp.lambda_representative,
            "feature": hp.lambda_representative, "instance": hp.lambda_instance,
        }  # fmt: skip
        return with_total(terms, weights)

    def _terms(self, output: Output, batch: Batch, resampling: Resampling) -> dict[str, torch.Tensor]:
        from tal_search.nn import representative as parts

        scores, valid = output.scores, resampling.valid_BP
        clicks = resampling.clicks(batch.action_clicks)
        instances = clicks
        if self._memory:
            instances = clicks | resampling.labels(batch.kept(self._memory["instances"]))
        background = parts.mined_background(scores[:, -1], clicks, instances, valid)
        instances = instances & ~background[:, None]
        nothing = background & False
        points = parts.with_background(clicks, nothing)
        dense = parts.with_background(instances, nothing)
        outside = parts.with_background(instances & False, background)
        classes = parts.labelled(batch.labels)
        chosen = classes[:, :, None].expand(-1, -1, scores.shape[-1])
        segments = parts.representative_segments(scores.gather(1, chosen), clicks.gather(1, chosen), valid)
        whole = parts.video_scores(output.classes, valid, self.hyperparameters.k_ratio)
        return {
            "video": parts.video_loss(whole, batch.labels),
            "point": parts.snippet_loss(scores, points, points.any(1)),
            "score": parts.score_loss(scores.gather(1, chosen), segments),
            "feature": parts.feature_loss(output.features, segments, classes),
            "instance": parts.snippet_loss(scores, dense, dense.any(1))
            + parts.snippet_loss(scores, outside, background),
        }

    def activations(self, videos: VideoSet) -> Activations:
        """P_c and S_bg on an even grid of the original time, of stretch·T snippets; the scores are their top-k means.

        The attention is zero, so that it proposes nothing: P_c already includes 1 − S_bg.
        """
        import numpy as np

        from tal_search.nn.arrays import evaluated

        cas, scores = evaluated(self.network, videos.features, self._read)
        return Activations.of(videos, cas=cas, attention=np.zeros_like(cas[:, -1]), scores=scores)

    def _read(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sequences [B, C+1, T or stretch·T] and video scores [B, C+1], of S_c and S_bg."""
        from tal_search.nn import compensation
        from tal_search.nn.representative import read

        hp, snippets = self.hyperparameters, features.shape[-1]
        resampling = compensation.Resampling.even(features)
        scores, whole = read(self.network, features, resampling, hp.k_ratio)
        if hp.tau == 0 or int(self.network.round) == 1:  # type: ignore[arg-type]
            return scores, whole
        present = whole[:, :-1] >= PRESENT * whole[:, :-1].amax(1, keepdim=True)
        proposed = compensation.proposals(scores[:, :-1], present, hp.proposal_threshold, resampling.valid_BP)
        weights = compensation.sampling_weights(compensation.shortest_lengths(proposed, resampling), hp.tau)
        resampling = compensation.Resampling.of(weights, hp.stretch)
        scores, whole = read(self.network, features, resampling, hp.k_ratio)
        return resampling.sequences_back(scores, int(hp.stretch * snippets)), whole


SPECIFICATION = MethodSpecification(
    method=Representative, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic
)
