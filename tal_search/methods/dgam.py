"""DGAM: discriminative and generative attention for temporal action localization (Shi et al., CVPR 2020).

Built from our notes on the paper. Both variants follow the released code for details the notes omit (β, means for sums,
mirrored borders, how detections are made). Its schedule is not used: up to 6000 epochs, the best chosen on the test
split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tal_search.data.features.streams import both_streams
from tal_search.data.sampling.settings import KINDS
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
from tal_search.methods.presets import I3D_CHANNELS, epochs_for, rate_for
from tal_search.nn.batch import Batch
from tal_search.types import VIDEO_LABELS, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.dgam import Stream, TwoStreamNetwork

BETAS = (0.8, 0.999)
RELEASED_CVAE_WEIGHT = 10.0  # weight of the VAE's loss, ramped up like γ1


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """Defaults are the paper's for THUMOS14."""

    variant: str = hyper("paper", "variant", choices=("paper", "release"), help="where paper and released code differ")
    fg_weight_rgb: float = hyper(1.0, "w_fg_rgb", low=0, help="weight of the foreground's classification loss, RGB")
    fg_weight_flow: float = hyper(1.0, "w_fg_flow", low=0, help="weight of the foreground's classification loss, flow")
    alpha_bg: float = hyper(0.03, "α", low=0, help="weight of the background's classification loss L_bg")
    gamma_re_rgb: float = hyper(0.5, "γ1_rgb", low=0, help="weight of the reconstruction loss L_re, RGB")
    gamma_re_flow: float = hyper(0.3, "γ1_flow", low=0, help="weight of the reconstruction loss L_re, flow")
    gamma_guide: float = hyper(0.1, "γ2", low=0, help="weight of the self-guidance loss L_guide")
    ramp_epochs: int = hyper(
        300, "ramp", low=1, help="epochs over which γ1 grows linearly to its value; release: the VAE's loss too"
    )
    beta_kl: float = hyper(0.1, "β", low=0, help="weight of the KL divergence in the conditional VAE's loss")
    prior_ratio: float = hyper(1.0, "r", low=0, help="the latent prior's mean is r times the attention")
    attention_hidden: int = hyper(256, "H", low=1, help="hidden channels of the attention")
    latent: int = hyper(128, "Z", low=1, help="latent and hidden channels of the conditional VAE")
    epochs: int = hyper(600, "epochs", low=1)
    batch_size: int = hyper(32, "batch", low=1)
    learning_rate: float = hyper(1e-3, "lr", above=0, help="of attention and classifier")
    learning_rate_cvae: float = hyper(1e-3, "lr_cvae", above=0, help="of the conditional VAE")
    weight_decay: float = hyper(0.0, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """Video labels, whatever the settings."""
        return (VIDEO_LABELS,)


CLASS_THRESHOLD = 0.1
RULE = {"rule": "streams", "class_threshold": CLASS_THRESHOLD, "nms": 0.5, "score_weight": 0.0}
ALIKE = {"rgb_share": 0.5, "rgb_threshold": 0.08}  # for halves of features that are not RGB and flow
# By name; a preset lists only what differs from the defaults above and those of `Inference`.
# None is the paper's or the release's: the release samples 400 snippets for training and 50 to 400 (ActivityNet 2 to
# 200) by length at test, draws batches once for ten epochs, and chooses the best of 6000 epochs on the test split; its
# sampling alone can be set (docs/methods.md). "simulated": learning rates, batch size and epochs chosen on a held-out
# fifth of the training videos.
PRESETS = {
    "adapted": Preset(inference=RULE),
    "simulated": Preset(
        snippets=200,
        hyperparameters={
            "epochs": 20, "ramp_epochs": 10, "attention_hidden": 64, "latent": 32, "batch_size": 8,
            "learning_rate": 6e-2, "learning_rate_cvae": 5e-3,
        },
        inference={**RULE, **ALIKE},
    ),
}  # fmt: skip


def generic(facts: Facts) -> Preset:
    """THUMOS14's 4200 steps, the first half a ramp; networks no wider than the input."""
    channels, rate = facts.channels or I3D_CHANNELS, rate_for(1e-3, facts)
    epochs = epochs_for(4200, 32, facts)
    settings = {
        "epochs": epochs, "ramp_epochs": max(1, epochs // 2), "learning_rate": rate, "learning_rate_cvae": rate,
        "attention_hidden": min(256, channels), "latent": min(128, max(1, channels // 2)),
    }  # fmt: skip
    streams = {} if channels == I3D_CHANNELS else ALIKE
    threshold = min(CLASS_THRESHOLD, facts.class_threshold)
    inference = {**RULE, **streams, "class_threshold": threshold}
    return Preset(hyperparameters=settings, inference=inference, lengths=("epochs", "ramp_epochs"))


class DGAM(TwoStreamMethod):
    """Attention trained to classify, and to let a conditional VAE reconstruct the features from it.

    Each epoch has a pass that trains the VAE with the attention fixed, then one that trains attention and classifier
    with the VAE fixed. RGB and flow are two networks trained side by side and joined in localization.
    """

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS,)
    streams = True
    samplings = KINDS
    phases = (
        Phase("cvae", ("rgb.cvae", "flow.cvae"), BETAS, "learning_rate_cvae"),
        Phase("attention", ("rgb.attention", "rgb.classifier", "flow.attention", "flow.classifier"), BETAS),
    )
    network: TwoStreamNetwork

    def __init__(
        self, hyperparameters: Hyperparameters, channels: int, classes: int, streams: Sequence[int] = ()
    ) -> None:
        from tal_search.nn.dgam import TwoStreamNetwork

        self.hyperparameters = hp = hyperparameters
        self.ramp = 1.0  # share of γ1 in use; set before each epoch
        self.network = TwoStreamNetwork(
            both_streams(channels, streams), classes,
            attention_hidden=hp.attention_hidden, latent=hp.latent, variant=hp.variant,
        )  # fmt: skip

    def prepare(self, epoch: int, batches: Callable[[], Iterator[Batch]]) -> bool:  # noqa: ARG002
        self.ramp = min(1.0, epoch / self.hyperparameters.ramp_epochs)
        return False

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """Every term of both streams, "TERM_STREAM", and their weighted sum.

        Phase "cvae": vae (its reconstruction) and kl. Phase "attention": fg, bg, re and guide.
        """
        from tal_search.nn.losses import with_total

        assert phase in ("cvae", "attention"), phase
        terms_of = self._cvae_terms if phase == "cvae" else self._attention_terms
        terms, weights, valid = {}, {}, batch.valid
        for name, (stream, features) in self.network.streams(batch.features).items():
            for term, loss in terms_of(stream, features, batch.labels, valid).items():
                terms[f"{term}_{name}"] = loss
                weights[f"{term}_{name}"] = self._weight(term, name)
        return with_total(terms, weights)

    def _weight(self, term: str, stream: str) -> float:
        hp, rgb = self.hyperparameters, stream == "rgb"
        of_cvae = RELEASED_CVAE_WEIGHT * self.ramp if hp.variant == "release" else 1.0
        weights: dict[str, float] = {
            "vae": of_cvae,
            "kl": of_cvae * hp.beta_kl,
            "fg": hp.fg_weight_rgb if rgb else hp.fg_weight_flow,
            "bg": hp.alpha_bg,
            "re": self.ramp * (hp.gamma_re_rgb if rgb else hp.gamma_re_flow),
            "guide": hp.gamma_guide,
        }
        return weights[term]

    def _cvae_terms(
        self, stream: Stream, features_BTD: torch.Tensor, _: torch.Tensor, valid_BT: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        import torch

        from tal_search.nn import dgam

        features = dgam.unpadded(features_BTD, valid_BT)
        with torch.no_grad():
            attention = stream.weigh(features)
        mean, log_variance, decoded = stream.cvae(features, attention)
        return {
            "vae": dgam.reconstruction_loss(decoded, features),
            "kl": dgam.prior_divergence(mean, log_variance, attention, self.hyperparameters.prior_ratio),
        }

    def _attention_terms(
        self, stream: Stream, features_BTD: torch.Tensor, labels_BC: torch.Tensor, valid_BT: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        from tal_search.nn import dgam

        output = stream(features_BTD, valid_BT)
        attention = dgam.unpadded(output.attention, valid_BT)
        generated = stream.cvae.generate(attention, self.hyperparameters.prior_ratio)
        foreground, background = dgam.discriminative_losses(output, labels_BC)
        return {
            "fg": foreground,
            "bg": background,
            "re": dgam.reconstruction_loss(generated, dgam.unpadded(features_BTD, valid_BT)),
            "guide": dgam.guide_loss(output, labels_BC, valid_BT),
        }

    def activations(self, videos: VideoSet) -> Activations:
        """The sequences of each stream and, for other rules and for plots, their mean over both streams.

        The mean is of λ·σ(CAM), λ, and the softmax of the weighted features' logits.
        """
        from tal_search.nn.arrays import evaluated

        cas, attention, scores = evaluated(self.network, videos.features, self.network.read_out)
        return Activations.of(
            videos, cas=(attention[:, :, None] * cas).mean(1), attention=attention.mean(1), scores=scores.mean(1),
            stream_cas=cas[:, :, :-1], stream_attention=attention, stream_scores=scores[..., :-1],
        )  # fmt: skip


SPECIFICATION = MethodSpecification(method=DGAM, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic)
