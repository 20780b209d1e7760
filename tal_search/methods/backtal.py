"""BackTAL: background-click supervision for temporal action localization (Yang, Han, Zhao, et al., TPAMI 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tal_search.data.sampling.settings import KINDS
from tal_search.data.truth.facts import Facts
from tal_search.errors import InputError
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
from tal_search.types import BACKGROUND_CLICKS, VIDEO_LABELS, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.two_branch import Output, TwoBranchNetwork

FILTER_NORM_WEIGHT = 1e-4


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """Defaults are the paper's for THUMOS14; widths of None follow the input (the paper's 2048 and 512 on I3D)."""

    variant: str = hyper("paper", "variant", choices=("paper", "release"), help="where paper and released code differ")
    lambda_sep: float = hyper(1.0, "λ", low=0, help="weight of the separation loss, Eq. 7-9")
    beta_aff: float = hyper(0.8, "β", low=0, help="weight of the affinity loss, Eq. 11-13")
    tau_same: float = hyper(0.5, "τ_same", low=-1, high=1, help="least similarity wanted within a group")
    tau_diff: float = hyper(0.1, "τ_diff", low=-1, high=1, help="greatest similarity allowed across groups")
    embedding_dim: int = hyper(32, "D_emb", low=1)
    kernel_size: int = hyper(3, "h", low=1, odd=True, help="taps of the affinity convolutions")
    k_ratio: float = hyper(1 / 8, "k/T", above=0, high=1, help="share of snippets in top-k aggregation")
    k_ratio_sep: float | None = hyper(
        None, "k_sep/T", above=0, high=1, help="the same in the separation loss; None = k_ratio"
    )
    frame_weight: float = hyper(
        1.0, "w_frame", low=0, help="weight of the frame loss, Eq. 4 (1 in the paper; 0 = clicks off)"
    )
    affinity: bool = hyper(True, "affinity", help="affinity convolutions; false = ordinary convolutions")
    hidden_channels: int | None = hyper(None, "H", low=1, help="None = input channels")
    embedding_hidden: int | None = hyper(None, "E", low=1, help="None = input channels / 4")
    filter_hidden: int | None = hyper(None, "F", low=1, help="None = input channels / 4")
    feature_scale: float = hyper(1.0, "‖x‖", above=0, help="features are multiplied by it; 1 = taken as they are")
    dropout: float = hyper(0.7, "dropout", low=0, high=0.99)
    epochs: int = hyper(100, "epochs", low=1)
    batch_size: int = hyper(16, "batch", low=1)
    learning_rate: float = hyper(1e-4, "lr", above=0)
    weight_decay: float = hyper(5e-4, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """Video labels, and background clicks unless the weights of all three losses on them are 0."""
        clicks = max(self.frame_weight, self.lambda_sep, self.beta_aff) > 0
        return (VIDEO_LABELS, BACKGROUND_CLICKS) if clicks else (VIDEO_LABELS,)


# By name; a preset lists only what differs from the defaults above and those of `Inference`, and the files of datasets
# what differs there. "paper": the settings of Sec. 4.1, the rest as released, overlaps of suppression without the
# release's extra second.
PRESETS = {
    "paper": Preset(),
    "release": Preset(hyperparameters={"variant": "release", "epochs": 40}, inference={"overlap": "release"}),
    "adapted": Preset(),
    "simulated": SIMULATED_BRANCHES,
}


def generic(facts: Facts) -> Preset:
    """The paper's settings with THUMOS14's 1300 steps, and thresholds for the number of classes and long instances."""
    return generic_branches(epochs_for(1300, 16, facts), facts)


class BackTAL(ActivationMethod):
    """Two branches, affinity convolutions, four losses (paper Fig. 3, Eq. 1-16)."""

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS, BACKGROUND_CLICKS)
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
            embedding_hidden=hp.embedding_hidden or max(1, channels // 4),
            filter_hidden=hp.filter_hidden or max(1, channels // 4),
            embedding_dim=hp.embedding_dim,
            taps=hp.kernel_size,
            dropout=hp.dropout,
            convolution=hp.variant if hp.affinity else "ordinary",
            scale=hp.feature_scale,
        )

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """L_cls of both branches with the filter's L1 norm, L_frame, L_sep, L_aff and their weighted sum (Eq. 5)."""
        from tal_search.nn.losses import full_precision, with_total

        assert phase == "all", phase
        output = self.network(batch.features, batch.valid)
        with full_precision(batch.features):
            terms = self._terms(output, batch)
        hp = self.hyperparameters
        weights = {"norm": FILTER_NORM_WEIGHT, "frame": hp.frame_weight, "sep": hp.lambda_sep, "aff": hp.beta_aff}
        return with_total(terms, weights)

    def _terms(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        from tal_search.nn import losses
        from tal_search.nn.arrays import full

        hp, release = self.hyperparameters, self.hyperparameters.variant == "release"
        base, suppressed, clicks = full(output.cas_base), full(output.cas_supp), batch.background_clicks
        scores_base, _ = losses.pooled(base, hp.k_ratio, batch.length)
        scores_supp, chosen = losses.pooled(suppressed, hp.k_ratio, batch.length)
        scores_sep = scores_base
        if hp.k_ratio_sep not in (None, hp.k_ratio):
            scores_sep, _ = losses.pooled(base, hp.k_ratio_sep, batch.length)
        counts = losses.action_counts(chosen, batch.labels)
        embedding = full(output.embedding)
        return {
            "cls_base": losses.classification_loss(scores_base, batch.labels, background=True),
            "cls_supp": losses.classification_loss(scores_supp, batch.labels, background=False),
            "norm": full(output.filter).abs().sum((1, 2)).mean(),
            "frame": losses.frame_loss(base, clicks, per_video=not release),
            "sep": losses.separation_loss(base, scores_sep, batch.labels, clicks, release=release),
            "aff": losses.affinity_loss(embedding, counts, clicks, hp.tau_same, hp.tau_diff, release=release),
        }

    def activations(self, videos: VideoSet) -> Activations:
        """Sequences and scores of the suppressed branch, and the affinity mask if affinity convolutions are used."""
        from tal_search.nn.two_branch import read_out

        hp = self.hyperparameters
        cas, attention, scores, affinity = read_out(self.network, videos.features, hp.k_ratio)
        affinity_mask = affinity if hp.affinity else None
        return Activations.of(videos, cas=cas, attention=attention, scores=scores, affinity=affinity_mask)

    @classmethod
    def from_state(cls, state: dict[str, torch.Tensor], hyperparameters: Hyperparameters, source: str) -> BackTAL:
        """Build the method from a state dict; every width is read from its tensors.

        Raises InputError, naming `source`, where tensors are missing or are not this network's.
        """
        try:
            hidden, channels, taps = state["base_module.conv_1.weight"].shape
            widths = replace(
                hyperparameters,
                hidden_channels=hidden,
                kernel_size=taps,
                embedding_hidden=state["embedding_module.conv_1.weight"].shape[0],
                embedding_dim=state["embedding_module.conv_2.weight"].shape[0],
                filter_hidden=state["filter_module.conv_1.0.weight"].shape[0],
            )
            method = cls(widths, channels, state["classifier_module.conv.weight"].shape[0] - 1)
            method.network.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error).splitlines()[-1].strip()
            raise InputError(f"{source}: is not a BackTAL network ({reason})") from error
        return method


SPECIFICATION = MethodSpecification(method=BackTAL, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic)
