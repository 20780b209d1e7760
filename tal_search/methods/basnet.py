"""BaS-Net (Lee, Uh, Byun, AAAI 2020): as released, and simplified to the baseline of BackTAL (Sec. 4.1).

A base and a suppressed branch with shared weights and ordinary convolutions; the whole video has T snippets.
Variant paper is BackTAL's baseline: cross-entropy, no biases, BackTAL's localization. Variant release is BaS-Net's
released code: binary cross-entropy and biases; its localization is `rule: basnet`.

The click losses reproduce rows of BackTAL's tables: a frame loss on background clicks or on action clicks (Table 6),
the first steps of Table 7, and where the clicks supervise (Table 8): the class activation sequence (`frame_weight`, the
"CAS supervision"), the filter w_t (`filter_weight`, the "weight supervision"), or both. BaS-Net's release has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tal_search.data.sampling.settings import KINDS, PERTURBED, UNIFORM, Sampling, SplitSampling
from tal_search.data.truth.facts import Facts
from tal_search.fields import hyper
from tal_search.localization.activations import Activations
from tal_search.methods.base import (
    ActivationMethod,
    MethodSpecification,
    Phase,
    Preset,
)
from tal_search.methods.hyperparameters import MethodHyperparameters
from tal_search.methods.presets import SIMULATED_BRANCHES, epochs_for, generic_branches
from tal_search.nn.batch import Batch
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, VIDEO_LABELS, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.two_branch import Output, TwoBranchNetwork

FILTER_NORM_WEIGHT = 1e-4


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """Defaults are the baseline row: video labels alone, at BackTAL's settings for THUMOS14."""

    variant: str = hyper(
        "paper", "variant", choices=("paper", "release"), help="paper: BackTAL's baseline; release: BaS-Net's code"
    )
    frame_weight: float = hyper(
        0.0, "w_frame", low=0, help="weight of cross-entropy at background clicks (1 in the paper; 0 = off)"
    )
    action_weight: float = hyper(
        0.0, "w_action", low=0, help="weight of cross-entropy at action clicks (1 in the paper; 0 = off)"
    )
    filter_weight: float = hyper(
        0.0, "w_filter", low=0, help="weight of binary cross-entropy on w_t at the clicks in use (0 = off)"
    )
    kernel_size: int = hyper(3, "h", low=1, odd=True, help="taps of the temporal convolutions")
    k_ratio: float = hyper(1 / 8, "k/T", above=0, high=1, help="share of snippets in top-k aggregation")
    hidden_channels: int | None = hyper(None, "H", low=1, help="None = input channels")
    filter_hidden: int | None = hyper(None, "F", low=1, help="None = input channels / 4")
    feature_scale: float = hyper(1.0, "‖x‖", above=0, help="features are multiplied by it; 1 = taken as they are")
    dropout: float = hyper(0.7, "dropout", low=0, high=0.99)
    epochs: int = hyper(100, "epochs", low=1)
    batch_size: int = hyper(16, "batch", low=1)
    learning_rate: float = hyper(1e-4, "lr", above=0)
    weight_decay: float = hyper(5e-4, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """Video labels, and the clicks of the losses in use; the filter loss always reads background clicks."""
        background = self.frame_weight > 0 or self.filter_weight > 0
        clicks = {BACKGROUND_CLICKS: background, ACTION_CLICKS: self.action_weight > 0}
        return (VIDEO_LABELS, *(kind for kind, read in clicks.items() if read))


# By name; a preset lists only what differs from the defaults above and those of `Inference`.
# "paper": BackTAL's baseline, with the settings of its Sec. 4.1 and the rest of BackTAL's release. "release": BaS-Net's
# release; its 1500 steps are the fewest whole epochs with as many, 116 of 13. "adapted": the release with linear
# interpolation instead of its sampling, and 115 epochs. Thresholds, margin and weight of the release are the defaults
# of `Inference`, the width of its filter is for THUMOS14's 2048 channels. "simulated": BackTAL's, so that the two can
# be compared.
RULE = {"rule": "basnet", "nms": 0.7, "overlap": "release"}
PRESETS = {
    "paper": Preset(),
    "release": Preset(
        sampling=Sampling(training=SplitSampling(kind=PERTURBED), test=SplitSampling(kind=UNIFORM)),
        hyperparameters={"variant": "release", "epochs": 116},
        inference=RULE,
    ),
    "adapted": Preset(hyperparameters={"variant": "release", "epochs": 115}, inference=RULE),
    "simulated": SIMULATED_BRANCHES,
}


def generic(facts: Facts) -> Preset:
    """BackTAL's baseline with BackTAL's generic settings, so that the two can be compared."""
    return generic_branches(epochs_for(1300, 16, facts), facts)


class BaSNet(ActivationMethod):
    """Two branches, ordinary convolutions, and optional frame losses on clicks."""

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS, BACKGROUND_CLICKS, ACTION_CLICKS)
    phases = (Phase("all"),)
    samplings = KINDS
    network: TwoBranchNetwork

    def __init__(self, hyperparameters: Hyperparameters, channels: int, classes: int) -> None:
        from tal_search.nn.two_branch import TwoBranchNetwork

        self.hyperparameters = hp = hyperparameters
        self.network = TwoBranchNetwork(
            channels,
            classes,
            hidden=hp.hidden_channels or channels,
            embedding_hidden=0,
            filter_hidden=hp.filter_hidden or max(1, channels // 4),
            embedding_dim=0,
            taps=hp.kernel_size,
            dropout=hp.dropout,
            convolution="ordinary",
            biases=hp.variant == "release",
            scale=hp.feature_scale,
        )

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """L_cls of both branches with the filter's L1 norm, the losses at clicks, and their weighted sum."""
        from tal_search.nn.losses import full_precision, with_total

        assert phase == "all", phase
        output = self.network(batch.features, batch.valid)
        with full_precision(batch.features):
            terms = self._terms(output, batch)
        hp = self.hyperparameters
        weights = {"frame": hp.frame_weight, "action": hp.action_weight, "filter": hp.filter_weight}
        return with_total(terms, {"norm": FILTER_NORM_WEIGHT, **weights})

    def _terms(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        from tal_search.nn import losses
        from tal_search.nn.arrays import full

        release = self.hyperparameters.variant == "release"
        classification = losses.binary_classification_loss if release else losses.classification_loss
        base, suppressed, weight = full(output.cas_base), full(output.cas_supp), full(output.filter)
        scores_base, scores_supp = (
            losses.pooled(cas, self.hyperparameters.k_ratio, batch.length)[0] for cas in (base, suppressed)
        )
        background, action = batch.background_clicks, batch.action_clicks
        return {
            "cls_base": classification(scores_base, batch.labels, background=True),
            "cls_supp": classification(scores_supp, batch.labels, background=False),
            "norm": weight.abs().sum((1, 2)).mean(),
            "frame": losses.frame_loss(base, background, per_video=not release),
            "action": losses.action_frame_loss(base, action, per_video=not release),
            "filter": losses.filter_loss(weight[:, 0], background, action.any(1)),
        }

    def activations(self, videos: VideoSet) -> Activations:
        """Sequences and scores of the suppressed branch."""
        from tal_search.nn.two_branch import read_out

        cas, attention, scores, _ = read_out(self.network, videos.features, self.hyperparameters.k_ratio)
        return Activations.of(videos, cas=cas, attention=attention, scores=scores)


SPECIFICATION = MethodSpecification(method=BaSNet, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic)
