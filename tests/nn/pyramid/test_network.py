"""The pyramid's points: where they lie in time, and that segments are assigned and decoded from there."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tal_search.nn.assignment import assign
from tal_search.nn.pyramid.encoder import EncoderSettings, actionformer_settings
from tal_search.nn.pyramid.network import PyramidNetwork, decode, level_lengths, locations

pytestmark = pytest.mark.usefixtures("one_thread")

CHANNELS, CLASSES, LEVELS = 5, 3, 4
STRIDE = 2 ** (LEVELS - 1)  # of the coarsest level, in snippets


def make_network(seed: int = 0) -> PyramidNetwork:
    """With random values wherever a fresh network has a constant, so that no term hides."""
    torch.manual_seed(seed)
    network = PyramidNetwork(CHANNELS, CLASSES, EncoderSettings(width=8, levels=LEVELS, theta=0.2)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def by_level(values_BP: Tensor, snippets: int) -> list[Tensor]:
    return list(values_BP.split([math.ceil(snippets / 2**level) for level in range(LEVELS)], 1))


@pytest.mark.parametrize("level", range(6))
def test_a_point_lies_in_the_middle_of_the_snippet_it_is_centred_on(level: int) -> None:
    found = locations(5, level, torch.device("cpu")).tolist()
    assert found == [point * 2**level + 0.5 for point in range(5)]


def mirrored(network: PyramidNetwork) -> PyramidNetwork:
    """Every convolution over time made symmetric, and start and end regressed alike."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv1d):
                module.weight.copy_((module.weight + module.weight.flip(-1)) / 2)
        network.regressor.out.weight[1] = network.regressor.out.weight[0]
        assert network.regressor.out.bias is not None
        network.regressor.out.bias[1] = network.regressor.out.bias[0]
    return network


@torch.no_grad()
def test_a_video_played_backwards_has_its_segments_mirrored() -> None:
    """Of a symmetric network, where the last point of every level is centred on the last snippet.

    Point i of n and point n − 1 − i change places, so the two must lie symmetrically about the middle of the video.
    """
    network, snippets = mirrored(make_network()), 3 * STRIDE + 1
    features = torch.randn(2, CHANNELS, snippets)
    forwards, backwards = network(features), network(features.flip(2))
    pairs = zip(by_level(forwards.segments, snippets), by_level(backwards.segments, snippets), strict=True)
    for level, (there, back) in enumerate(pairs):
        torch.testing.assert_close(snippets - back.flip(1, 2), there, msg=lambda text, n=level: f"level {n}: {text}")


@torch.no_grad()
def test_what_moves_by_a_stride_of_the_coarsest_level_moves_its_segments_as_far() -> None:
    """An action in front of a constant background; attention over time does not know where its values are."""
    network, snippets = make_network(), 20 * STRIDE
    action = torch.randn(1, CHANNELS, STRIDE)
    outputs = []
    for start in (8 * STRIDE, 9 * STRIDE):
        features = torch.zeros(1, CHANNELS, snippets)
        features[..., start : start + STRIDE] = action
        outputs.append(network(features))
    for level in range(LEVELS):
        moved, margin = STRIDE // 2**level, 4 * STRIDE // 2**level  # the padding is within the margin
        early, late = (by_level(output.segments, snippets)[level] for output in outputs)
        inner = slice(margin, early.shape[1] - margin - moved)
        torch.testing.assert_close(late[:, moved:][:, inner], early[:, inner] + STRIDE, rtol=0, atol=1e-3)
        early, late = (by_level(output.logits, snippets)[level] for output in outputs)
        torch.testing.assert_close(late[:, moved:][:, inner], early[:, inner], rtol=0, atol=1e-3)


@given(st.integers(0, 10_000), st.integers(3, 40))
@settings(max_examples=40, deadline=None)
def test_the_distances_of_an_assigned_segment_decode_to_it(seed: int, snippets: int) -> None:
    """Also: a point that learns a segment lies in it, its distances within the reach of its level in strides."""
    generator = torch.Generator().manual_seed(seed)
    start = snippets * torch.rand(2, 4, generator=generator)
    end = start + (snippets - start) * torch.rand(2, 4, generator=generator)
    lengths = [math.ceil(snippets / 2**level) for level in range(LEVELS)]
    targets = assign(lengths, torch.stack([start, end], 2), torch.zeros(2, 4, dtype=torch.int64))
    levels = zip(by_level(targets.inside, snippets), by_level(targets.segment, snippets), strict=True)
    for level, (inside, segment) in enumerate(levels):
        time = torch.tensor([point * 2**level + 0.5 for point in range(lengths[level])])
        distances = torch.stack([time - segment[..., 0], segment[..., 1] - time], 2) / 2**level
        torch.testing.assert_close(decode(distances, level), segment, rtol=0, atol=1e-4)
        farther = distances[inside].amax(1)
        assert (distances[inside] > 0).all()
        assert (farther >= (0 if level == 0 else 2)).all()
        assert (farther < (math.inf if level == LEVELS - 1 else 4)).all()


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 9, 40])
def test_padding_changes_no_output_of_a_video(length: int) -> None:
    """Of both encoders, beside a longer video."""
    features, snippets = torch.randn(2, CHANNELS, 43, dtype=torch.float64), 43
    features[1, :, length:] = 7.0  # never read
    valid = torch.arange(snippets) < torch.tensor([[snippets], [length]])
    for chosen in (
        EncoderSettings(width=8, levels=LEVELS, theta=0.2),
        actionformer_settings(width=8, levels=LEVELS, window=5, drop_path=0.1, theta=0.5),
    ):
        network = PyramidNetwork(CHANNELS, CLASSES, chosen, relu=True).double().eval()
        padded, alone = network(features, valid), network(features[1:, :, :length])
        levels = zip(by_level(padded.logits, snippets), by_level(padded.segments, snippets), strict=True)
        lengths = level_lengths(length, LEVELS)
        expected = zip(alone.logits.split(lengths, 1), alone.segments.split(lengths, 1), strict=True)
        for found, own in zip(levels, expected, strict=True):
            for values, others in zip(found, own, strict=True):
                torch.testing.assert_close(values[1:, : others.shape[1]], others, rtol=1e-9, atol=1e-11)
        seen = [valid.sum(1).tolist() for valid in by_level(padded.valid, snippets)]
        assert seen == [[math.ceil(n / 2**level) for n in (snippets, length)] for level in range(LEVELS)]
