"""DGAM's attention, classifier and conditional VAE, with their losses (Shi et al., CVPR 2020).

Shapes: B videos, T snippets, D channels of one stream, C classes (background has index C), Z latent channels. Features
are [B, T, D] here, as every layer is applied to single snippets. λ is the attention, [B, T] in 0 to 1.

Where videos are padded, the conditional VAE and its losses see the snippets of all videos in one row, [n, D], without
the padding (`unpadded`): means are over all of the batch's snippets, each with the same weight, and noise is drawn for
these alone. Pooling and smoothing are by video.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from tal_search.nn.arrays import full
from tal_search.nn.losses import classification_loss

# Lower bound of the sum of weights in a loss: with attention all 0 (or all 1), the weighted mean fades to zero.
LEAST_WEIGHT = 1e-6
# By variant, a in x_fg = Σλx / (Σλ + a) and x_bg = Σ(1−λ)x / (Σ(1−λ) + a).
ADDED_WEIGHT = {"paper": (0.0, 0.0), "release": (1.0, 1e-6)}
SMOOTHING_SNIPPETS = 1.0  # σ_s of the Gaussian over the guidance


@dataclass(frozen=True)
class Output:
    """λ [B, T]; class activations w_c·x_t [B, T, C+1]; logits [B, C+1] of the weighted features x_fg and x_bg."""

    attention: Tensor
    cam: Tensor
    foreground: Tensor
    background: Tensor


class Stream(nn.Module):
    """The network of one stream: attention (Linear ReLU Linear sigmoid), linear classifier, conditional VAE."""

    def __init__(self, channels: int, classes: int, *, attention_hidden: int, latent: int, variant: str) -> None:
        super().__init__()
        self.added_weight = ADDED_WEIGHT[variant]
        self.attention = nn.Sequential(nn.Linear(channels, attention_hidden), nn.ReLU(), nn.Linear(attention_hidden, 1))
        self.classifier = nn.Linear(channels, classes + 1)
        self.cvae = ConditionalVAE(channels, latent)

    def weigh(self, features_BTD: Tensor) -> Tensor:
        """λ: [B, T]."""
        weights: Tensor = self.attention(features_BTD)
        return torch.sigmoid(full(weights.squeeze(-1)))

    def forward(self, features_BTD: Tensor, valid_BT: Tensor | None = None) -> Output:
        """Logits of weighted features, computed as weighted means of class activations plus the bias.

        valid_BT: bool, False in the padding; None without padding.
        """
        attention_BT = self.weigh(features_BTD)
        cam_BTC = full(functional.linear(features_BTD, self.classifier.weight))
        bias_C = full(self.classifier.bias)
        added_fg, added_bg = self.added_weight
        return Output(
            attention=attention_BT,
            cam=cam_BTC,
            foreground=weighted_mean(cam_BTC, _kept(attention_BT, valid_BT), added=added_fg) + bias_C,
            background=weighted_mean(cam_BTC, _kept(1 - attention_BT, valid_BT), added=added_bg) + bias_C,
        )

    def read_out(self, features_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """For localization: σ(class activations) [B, C+1, T], λ [B, T], class probabilities [B, C+1].

        The probabilities are of the exact weighted mean of features in both variants, however small the weights are.
        """
        output = self(features_BTD)
        tiny = torch.finfo(output.cam.dtype).tiny
        logits_BC = weighted_mean(output.cam, output.attention, least=tiny) + full(self.classifier.bias)
        return torch.sigmoid(output.cam).transpose(1, 2), output.attention, logits_BC.softmax(1)


class ConditionalVAE(nn.Module):
    """p(x_t | λ_t): encoder (x, λ) → mean and log-variance of z, decoder (z, λ) → x; the prior of z is N(r·λ, I).

    In evaluation mode z is the mean, without noise. Leading axes may be [B, T], or [n] as in `unpadded`.
    """

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.encoder = _three_layers(channels + 1, latent, 2 * latent)
        self.decoder = _three_layers(latent + 1, latent, channels)
        self.latent = latent

    def forward(self, features_BTD: Tensor, attention_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log-variance of q(z | x, λ), [B, T, Z] each, and the features decoded from one sample, [B, T, D]."""
        condition_BT1 = attention_BT[..., None]
        encoded = full(self.encoder(torch.cat([features_BTD, condition_BT1], -1)))
        mean_BTZ, log_variance_BTZ = encoded.chunk(2, dim=-1)
        z_BTZ = mean_BTZ + self.noise(mean_BTZ) * (log_variance_BTZ / 2).exp()
        decoded_BTD = full(self.decoder(torch.cat([z_BTZ, condition_BT1], -1)))
        return mean_BTZ, log_variance_BTZ, decoded_BTD

    def generate(self, attention_BT: Tensor, prior_ratio: float) -> Tensor:
        """Features [B, T, D] decoded from one sample of the prior. Gradients reach the attention, not the decoder."""
        condition_BT1 = attention_BT[..., None]
        prior_BTZ = prior_ratio * condition_BT1.expand(*attention_BT.shape, self.latent)
        z_BTZ = prior_BTZ + self.noise(prior_BTZ)
        fixed = {name: weight.detach() for name, weight in self.decoder.named_parameters()}
        return full(functional_call(self.decoder, fixed, (torch.cat([z_BTZ, condition_BT1], -1),)))

    def noise(self, like: Tensor) -> Tensor:
        """Noise of one sample of z: standard normal, zero in evaluation mode."""
        return torch.randn_like(like) if self.training else torch.zeros_like(like)


def _three_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


class TwoStreamNetwork(nn.Module):
    """A `Stream` for RGB, the first channels, and one for flow, the others; sizes: how many each has."""

    def __init__(
        self, sizes: tuple[int, int], classes: int, *, attention_hidden: int, latent: int, variant: str
    ) -> None:
        super().__init__()
        self.sizes = [*sizes]
        self.rgb, self.flow = (
            Stream(size, classes, attention_hidden=attention_hidden, latent=latent, variant=variant) for size in sizes
        )

    def streams(self, features_BDT: Tensor) -> dict[str, tuple[Stream, Tensor]]:
        """Each stream with its channels of the features, [B, T, D of the stream], by name."""
        rgb_BTD, flow_BTD = (part.transpose(1, 2).contiguous() for part in torch.split(features_BDT, self.sizes, dim=1))
        return {"rgb": (self.rgb, rgb_BTD), "flow": (self.flow, flow_BTD)}

    def forward(self, features_BDT: Tensor) -> dict[str, Output]:
        return {name: stream(features) for name, (stream, features) in self.streams(features_BDT).items()}

    def read_out(self, features_BDT: Tensor) -> tuple[Tensor, ...]:
        """`Stream.read_out` of RGB and flow: [B, 2, C+1, T], [B, 2, T], [B, 2, C+1]."""
        both = [stream.read_out(features) for stream, features in self.streams(features_BDT).values()]
        return tuple(torch.stack(pair, 1) for pair in zip(*both, strict=True))


def unpadded(values_BTx: Tensor, valid_BT: Tensor | None) -> Tensor:
    """Values of the snippets that are not padding, video by video: [n, ...]; the values themselves without padding."""
    return values_BTx if valid_BT is None else values_BTx[valid_BT]


def _kept(weights_BT: Tensor, valid_BT: Tensor | None) -> Tensor:
    """Weights of the pooling, zero in the padding."""
    return weights_BT if valid_BT is None else weights_BT * valid_BT


def weighted_mean(values_BTC: Tensor, weights_BT: Tensor, *, added: float = 0.0, least: float = LEAST_WEIGHT) -> Tensor:
    """Σ_t w_t·v_t / (Σ_t w_t + added): [B, C], zero where all weights are. The divisor is at least `least`."""
    total_B1 = (weights_BT.sum(1, keepdim=True) + added).clamp_min(least)
    # A sum instead of a matrix product, which mixed precision would round to bf16.
    return (values_BTC * weights_BT[..., None]).sum(1) / total_B1


def discriminative_losses(output: Output, labels_BC: Tensor) -> tuple[Tensor, Tensor]:
    """L_fg = −log p(y | x_fg), labels normalised to sum 1, and L_bg = −log p(background | x_bg)."""
    return (
        classification_loss(output.foreground, labels_BC, background=False),
        classification_loss(output.background, torch.zeros_like(labels_BC), background=True),
    )


def guide_loss(output: Output, labels_BC: Tensor, valid_BT: Tensor | None = None) -> Tensor:
    """L_guide = mean_t |λ − f̂g| + |λ − b̂g|, where f̂g and b̂g are detached.

    f̂g is the smoothed softmax activation of the video's class (the highest of its classes), b̂g one minus that of the
    background. The mean is over the snippets of all videos that are not padding (valid_BT; None where none is).
    """
    smooth_BTC = smooth(output.cam.detach().softmax(2), None if valid_BT is None else valid_BT.sum(1))
    foreground_BT = (smooth_BTC[..., :-1] * labels_BC[:, None]).amax(2)
    background_BT = 1 - smooth_BTC[..., -1]
    attention_BT = output.attention
    distance_BT = (attention_BT - foreground_BT).abs() + (attention_BT - background_BT).abs()
    return unpadded(distance_BT, valid_BT).mean()


def smooth(values_BTC: Tensor, length_B: Tensor | None = None) -> Tensor:
    """Smooth over snippets with a Gaussian of σ_s snippets, cut at 4σ_s; mirrored at the edges (d c b a | a b c d).

    length_B: the snippets of each video, after which there is padding, whose result has no meaning; None without
    padding.
    """
    radius, snippets = math.ceil(4 * SMOOTHING_SNIPPETS), values_BTC.shape[1]
    offsets = range(-radius, radius + 1)
    weights = [math.exp(-0.5 * (offset / SMOOTHING_SNIPPETS) ** 2) for offset in offsets]
    position_T = torch.arange(snippets, device=values_BTC.device)
    smoothed_BTC = torch.zeros_like(values_BTC)
    # Sums instead of a convolution, which mixed precision would round to bf16.
    for offset, weight in zip(offsets, weights, strict=True):
        if length_B is None:
            shifted_BTC = values_BTC[:, _mirrored(position_T + offset, snippets)]
        else:
            source_BT1 = _mirrored(position_T + offset, length_B[:, None])[..., None]
            shifted_BTC = values_BTC.gather(1, source_BT1.expand_as(values_BTC))
        smoothed_BTC += weight / sum(weights) * shifted_BTC
    return smoothed_BTC


def _mirrored(position: Tensor, length: int | Tensor) -> Tensor:
    """Positions beyond the edges of a sequence of `length` snippets, reflected into it."""
    unfolded = position % (2 * length)
    return torch.minimum(unfolded, 2 * length - 1 - unfolded)


def reconstruction_loss(decoded_BTD: Tensor, features_BTD: Tensor) -> Tensor:
    """−log N(x | decoded, I/2) without its constant: the squared distance, averaged over snippets and channels.

    The published weights γ1 and β are for this mean: the released code uses it, the paper writes the sum.
    """
    return (decoded_BTD - features_BTD).square().mean()


def prior_divergence(mean_BTZ: Tensor, log_variance_BTZ: Tensor, attention_BT: Tensor, prior_ratio: float) -> Tensor:
    """KL(N(mean, variance) || N(r·λ, I)), averaged over snippets and latent channels."""
    distance_BTZ = mean_BTZ - prior_ratio * attention_BT[..., None]
    return (log_variance_BTZ.exp() + distance_BTZ.square() - 1 - log_variance_BTZ).mean() / 2
