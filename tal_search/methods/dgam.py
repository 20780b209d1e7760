"""DGAM: discriminative and generative attention for temporal action localization (Shi et al., CVPR 2020).

Built from our notes of the paper. Where they are silent (β, the fusion of the streams, means for sums) the released
code's settings are taken; its number of epochs, up to 6000 with the best chosen on the test split, is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tal_search.errors import InputError
from tal_search.fields import hyper
from tal_search.localization.activations import Activations
from tal_search.methods.base import ActivationMethod, Batch, MethodHyperparameters, MethodSpecification, Phase, Preset
from tal_search.types import VIDEO_LABELS, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.dgam import Stream, TwoStreamNetwork

BETAS = (0.8, 0.999)


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """Defaults are the paper's for THUMOS14."""

    alpha_bg: float = hyper(0.03, "α", low=0, help="weight of the background's classification loss L_bg")
    gamma_re_rgb: float = hyper(0.5, "γ1_rgb", low=0, help="weight of the reconstruction loss L_re, RGB")
    gamma_re_flow: float = hyper(0.3, "γ1_flow", low=0, help="weight of the reconstruction loss L_re, flow")
    gamma_guide: float = hyper(0.1, "γ2", low=0, help="weight of the self-guidance loss L_guide")
    ramp_epochs: int = hyper(300, "ramp", low=1, help="epochs over which γ1 grows linearly to its value")
    beta_kl: float = hyper(0.1, "β", low=0, help="weight of the KL divergence in the conditional VAE's loss")
    prior_ratio: float = hyper(1.0, "r", low=0, help="the latent prior's mean is r times the attention")
    rgb_share: float = hyper(0.35, "ρ_rgb", low=0, high=1, help="share of RGB where the two streams are fused")
    attention_hidden: int = hyper(256, "H", low=1, help="hidden channels of the attention")
    latent: int = hyper(128, "Z", low=1, help="latent and hidden channels of the conditional VAE")
    epochs: int = hyper(600, "epochs", low=1)
    batch_size: int = hyper(32, "batch", low=1)
    learning_rate: float = hyper(1e-3, "lr", above=0, help="of attention and classifier")
    learning_rate_cvae: float = hyper(1e-3, "lr_cvae", above=0, help="of the conditional VAE")
    weight_decay: float = hyper(0.0, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """What a trial reads: video labels, whatever the settings."""
        return (VIDEO_LABELS,)


# By data set and name; what a preset leaves out has the default above, or that of `Inference`.
THRESHOLDS = {"class_threshold": 0.1, "nms": 0.5}
# Learning rates, batch and epochs chosen by a fifth of the training videos, held out.
SIMULATED = {
    "epochs": 20, "ramp_epochs": 10, "rgb_share": 0.5, "attention_hidden": 64, "latent": 32, "batch_size": 8,
    "learning_rate": 6e-2, "learning_rate_cvae": 5e-3,
}  # fmt: skip
PRESETS: dict[str, dict[str, Preset]] = {
    "thumos14": {
        "paper": Preset(snippets=400, inference=THRESHOLDS),
        "simulated": Preset(snippets=200, hyperparameters=SIMULATED, inference=THRESHOLDS),
    },
}


class DGAM(ActivationMethod):
    """Attention that classifies, and from which a conditional VAE can tell the features.

    An epoch is a pass that trains the VAE with the attention fixed, then one that trains attention and classifier with
    the VAE fixed. RGB, the first half of the channels, and flow, the second, are two networks trained side by side and
    fused when localizing; simulated features and 48 channels of evidence are halved in the same way.
    """

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS,)
    phases = (
        Phase("cvae", ("rgb.cvae", "flow.cvae"), BETAS, "learning_rate_cvae"),
        Phase("attention", ("rgb.attention", "rgb.classifier", "flow.attention", "flow.classifier"), BETAS),
    )
    network: TwoStreamNetwork

    def __init__(self, hyperparameters: Hyperparameters, channels: int, classes: int) -> None:
        """Raises InputError where the channels are not two halves."""
        from tal_search.nn.dgam import TwoStreamNetwork

        if channels % 2:
            raise InputError(
                f"features have {channels} channels; dgam reads RGB from the first half and flow from the second: "
                f"give an even number"
            )
        self.hyperparameters = hp = hyperparameters
        self.ramp = 1.0  # share of γ1 in force; set before each epoch
        self.network = TwoStreamNetwork(channels, classes, attention_hidden=hp.attention_hidden, latent=hp.latent)

    def prepare(self, epoch: int, batches: Callable[[], Iterator[Batch]]) -> bool:  # noqa: ARG002
        self.ramp = min(1.0, epoch / self.hyperparameters.ramp_epochs)
        return False

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """Every term of both streams, "TERM_STREAM", and their weighted sum.

        Of the phase "cvae": vae (its reconstruction) and kl. Of the phase "attention": fg, bg, re and guide.
        """
        import torch

        assert phase in ("cvae", "attention"), phase
        of_stream = self._cvae_terms if phase == "cvae" else self._attention_terms
        terms, weighted = {}, []
        for name, (stream, features) in self.network.streams(batch.features).items():
            for term, loss in of_stream(stream, features, batch.labels).items():
                terms[f"{term}_{name}"] = loss
                weighted.append(self._weight(term, name) * loss)
        return {**terms, "total": torch.stack(weighted).sum()}

    def _weight(self, term: str, stream: str) -> float:
        hp = self.hyperparameters
        gamma_re = hp.gamma_re_rgb if stream == "rgb" else hp.gamma_re_flow
        weights: dict[str, float] = {
            "kl": hp.beta_kl,
            "bg": hp.alpha_bg,
            "re": self.ramp * gamma_re,
            "guide": hp.gamma_guide,
        }
        return weights.get(term, 1.0)

    def _cvae_terms(self, stream: Stream, features_BTD: torch.Tensor, _: torch.Tensor) -> dict[str, torch.Tensor]:
        import torch

        from tal_search.nn import dgam

        with torch.no_grad():
            attention = stream.weigh(features_BTD)
        mean, log_variance, decoded = stream.cvae(features_BTD, attention)
        return {
            "vae": dgam.reconstruction_loss(decoded, features_BTD),
            "kl": dgam.prior_divergence(mean, log_variance, attention, self.hyperparameters.prior_ratio),
        }

    def _attention_terms(
        self, stream: Stream, features_BTD: torch.Tensor, labels_BC: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        from tal_search.nn import dgam

        output = stream(features_BTD)
        generated = stream.cvae.generate(output.attention, self.hyperparameters.prior_ratio)
        foreground, background = dgam.discriminative_losses(output, labels_BC)
        return {
            "fg": foreground,
            "bg": background,
            "re": dgam.reconstruction_loss(generated, features_BTD),
            "guide": dgam.guide_loss(output, labels_BC),
        }

    def activations(self, videos: VideoSet) -> Activations:
        """What localization reads, of both streams fused: λ·σ(CAM), λ, and the softmax of the foreground's logits."""

        from tal_search.nn.arrays import evaluated
        from tal_search.nn.dgam import fuse

        def outputs(features: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return fuse(self.network(features), self.hyperparameters.rgb_share)

        arrays = evaluated(self.network, videos.features, outputs)
        return Activations(
            videos=videos.videos, cas=arrays[0], attention=arrays[1], scores=arrays[2],
            duration=videos.duration, frames=videos.frames,
        )  # fmt: skip


SPECIFICATION = MethodSpecification(method=DGAM, hyperparameters=Hyperparameters, presets=PRESETS)
