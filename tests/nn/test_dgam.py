"""DGAM's losses and conditional VAE against the equations and torch.distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from tal_search.nn import dgam

pytestmark = pytest.mark.usefixtures("one_thread")


BATCH, CHANNELS, CLASSES, SNIPPETS, LATENT = 3, 8, 4, 15, 6


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def draw_labels(seed: int) -> Tensor:
    """[B, C], every video with one class or more."""
    labels = (draw(seed, BATCH, CLASSES) > 0.5).double()
    labels[torch.arange(BATCH), torch.arange(BATCH)] = 1
    return labels


def naive_discriminative(
    stream: dgam.Stream, features: Tensor, attention: Tensor, labels: Tensor, added: tuple[float, float]
) -> list[float]:
    """Features are averaged first and then classified, video by video. added: to each sum of weights."""
    foreground, background = [], []
    for x, weight, y in zip(features, attention, labels, strict=True):
        x_fg = sum(weight[t] * x[t] for t in range(SNIPPETS)) / (weight.sum() + added[0])
        x_bg = sum((1 - weight[t]) * x[t] for t in range(SNIPPETS)) / ((1 - weight).sum() + added[1])
        log_fg, log_bg = (stream.classifier(pooled).log_softmax(0) for pooled in (x_fg, x_bg))
        foreground.append(-sum(float(log_fg[c]) for c in range(CLASSES) if y[c]) / float(y.sum()))
        background.append(-float(log_bg[CLASSES]))
    return [sum(foreground) / BATCH, sum(background) / BATCH]


def naive_guide(stream: dgam.Stream, features: Tensor, attention: Tensor, labels: Tensor) -> float:
    total = 0.0
    for x, weight, y in zip(features, attention, labels, strict=True):
        cam = (x @ stream.classifier.weight.T).softmax(1).numpy()
        smoothed = gaussian_filter1d(cam, sigma=1, axis=0, mode="reflect")
        for t in range(SNIPPETS):
            of_class = max(smoothed[t, c] for c in range(CLASSES) if y[c])
            of_background = 1 - smoothed[t, CLASSES]
            total += abs(float(weight[t]) - of_class) + abs(float(weight[t]) - of_background)
    return total / (BATCH * SNIPPETS)


@given(st.integers(0, 10_000), st.sampled_from(["paper", "release"]))
@settings(max_examples=30, deadline=None)
def test_classification_and_guidance_equal_the_equations(seed: int, variant: str) -> None:
    torch.manual_seed(seed)
    stream = dgam.Stream(CHANNELS, CLASSES, attention_hidden=5, latent=LATENT, variant=variant).requires_grad_(False)
    features, labels = draw(seed, BATCH, SNIPPETS, CHANNELS).float(), draw_labels(seed)
    output = stream(features)
    ours = [*dgam.discriminative_losses(output, labels.float()), dgam.guide_loss(output, labels.float())]
    given_to_loops = stream, features, output.attention, labels
    added = (1.0, 1e-6) if variant == "release" else (0.0, 0.0)
    theirs = [*naive_discriminative(*given_to_loops, added), naive_guide(*given_to_loops)]
    assert [float(loss) for loss in ours] == pytest.approx(theirs, rel=1e-4)


@given(st.integers(1, 12), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_smoothing_equals_scipys_in_short_videos_too(snippets: int, seed: int) -> None:
    values = draw(seed, 2, snippets, 3)
    expected = gaussian_filter1d(values.numpy(), sigma=1, axis=1, mode="reflect")
    np.testing.assert_allclose(dgam.smooth(values), expected, atol=1e-12)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_smoothing_is_mirrored_at_the_end_of_each_padded_video(lengths: list[int], seed: int) -> None:
    values = draw(seed, len(lengths), 14, 3)
    smoothed = dgam.smooth(values, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        expected = gaussian_filter1d(values[row, :length].numpy(), sigma=1, axis=0, mode="reflect")
        np.testing.assert_allclose(smoothed[row, :length], expected, atol=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(["paper", "release"]))
@settings(max_examples=15, deadline=None)
def test_pooling_is_by_video_and_the_guidance_a_mean_over_all_snippets_of_the_batch(seed: int, variant: str) -> None:
    """Of videos that are padded, beside each of them alone."""
    torch.manual_seed(seed)
    stream = dgam.Stream(CHANNELS, CLASSES, attention_hidden=5, latent=LATENT, variant=variant).double()
    stream.requires_grad_(False)
    features, labels, lengths = draw(seed, BATCH, SNIPPETS, CHANNELS), draw_labels(seed), [SNIPPETS, 4, 9]
    valid = torch.arange(SNIPPETS) < torch.tensor(lengths)[:, None]
    output = stream(features, valid)
    guide = 0.0
    for row, length in enumerate(lengths):
        alone = stream(features[row : row + 1, :length])
        torch.testing.assert_close(output.foreground[row], alone.foreground[0])
        torch.testing.assert_close(output.background[row], alone.background[0])
        guide += length * float(dgam.guide_loss(alone, labels[row : row + 1])) / sum(lengths)
    assert float(dgam.guide_loss(output, labels, valid)) == pytest.approx(guide)


@given(st.integers(0, 10_000), st.floats(0, 3))
@settings(max_examples=30, deadline=None)
def test_divergence_is_the_kl_of_the_two_normal_distributions(seed: int, ratio: float) -> None:
    mean, log_variance = draw(seed, 2, BATCH, SNIPPETS, LATENT)
    attention = draw(seed + 1, BATCH, SNIPPETS).sigmoid()
    prior = Normal(ratio * attention[..., None].expand(-1, -1, LATENT), 1.0)
    expected = kl_divergence(Normal(mean, log_variance.exp().sqrt()), prior).mean()
    torch.testing.assert_close(dgam.prior_divergence(mean, log_variance, attention, ratio), expected)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_reconstruction_is_the_negative_log_likelihood_less_its_constant(seed: int) -> None:
    features, decoded = draw(seed, 2, BATCH, SNIPPETS, CHANNELS)
    likelihood = -Normal(decoded, math.sqrt(0.5)).log_prob(features).mean()
    torch.testing.assert_close(dgam.reconstruction_loss(decoded, features), likelihood - math.log(math.pi) / 2)


def test_latents_are_drawn_from_the_encoders_distribution_and_from_the_prior() -> None:
    """A decoder that returns z shows what it was given."""
    torch.manual_seed(0)
    videos, ratio = 4000, 2.0
    cvae = dgam.ConditionalVAE(CHANNELS, LATENT)
    cvae.decoder = nn.Sequential(nn.Linear(LATENT + 1, LATENT))
    with torch.no_grad():
        cvae.decoder[0].weight.copy_(torch.eye(LATENT, LATENT + 1))
        cvae.decoder[0].bias.zero_()
    features = draw(0, 1, SNIPPETS, CHANNELS).float().expand(videos, -1, -1)
    attention = draw(1, 1, SNIPPETS).sigmoid().float().expand(videos, -1)
    mean, log_variance, z = (tensor.detach() for tensor in cvae(features, attention))
    expected = {"encoder": Normal(mean[0], (log_variance[0] / 2).exp()), "prior": Normal(ratio * attention[0], 1.0)}
    drawn = {"encoder": z, "prior": cvae.generate(attention, ratio).mean(2)}
    torch.testing.assert_close(drawn["encoder"].mean(0), expected["encoder"].mean, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn["encoder"].std(0), expected["encoder"].stddev, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn["prior"].mean(0), expected["prior"].mean, atol=0.05, rtol=0)
    assert float(drawn["prior"].std(0).mean()) == pytest.approx(1 / math.sqrt(LATENT), rel=0.03)
    cvae.eval()
    mean, _, z = cvae(features, attention)
    assert torch.equal(mean, z), "no noise outside of training"


def test_streams_of_unequal_widths_read_their_own_channels() -> None:
    torch.manual_seed(0)
    network = dgam.TwoStreamNetwork((2, 5), 3, attention_hidden=4, latent=4, variant="paper")
    features = torch.randn(2, 7, 6)
    changed = features.clone()
    changed[:, 2:] += 1
    before, after = network(features), network(changed)
    torch.testing.assert_close(before["rgb"].cam, after["rgb"].cam)
    assert not torch.allclose(before["flow"].cam, after["flow"].cam)
