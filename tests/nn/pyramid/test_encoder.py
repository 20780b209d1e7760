"""The transformer block against a slow transcription: loops over points, taps, heads and channels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tal_search.nn.pyramid.encoder import Block, Encoder, EncoderSettings, actionformer_settings

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, POINTS, WINDOW = 4, 11, 5
SETTINGS = {
    "ASL": EncoderSettings(width=WIDTH, levels=3, theta=0.2),
    "ASL without time": EncoderSettings(width=WIDTH, levels=3, theta=1.0),
    "ActionFormer": actionformer_settings(width=WIDTH, levels=3, window=WINDOW, drop_path=0.5),
    "both": actionformer_settings(width=WIDTH, levels=3, window=WINDOW, drop_path=0.5, theta=0.3),
}


def normed(x: Tensor, norm: nn.Module) -> Tensor:
    assert isinstance(norm, nn.LayerNorm)
    rows = [(row - row.mean()) / math.sqrt(float(((row - row.mean()) ** 2).mean()) + norm.eps) for row in x]
    return torch.stack([row * norm.weight + norm.bias for row in rows])


def depthwise(x: Tensor, conv: nn.Module, stride: int) -> Tensor:
    """A convolution of three taps of each channel on its own, at every `stride`-th point; zeros beyond the ends."""
    assert isinstance(conv, nn.Conv1d)
    found = torch.zeros(math.ceil(len(x) / stride), WIDTH, dtype=x.dtype)
    for point in range(len(found)):
        for channel in range(WIDTH):
            taps = [
                conv.weight[channel, 0, tap] * x[stride * point + tap - 1, channel]
                for tap in range(3)
                if 0 <= stride * point + tap - 1 < len(x)
            ]
            found[point, channel] = sum(taps) + (0 if conv.bias is None else conv.bias[channel])
    return found


def projections(parts: list[Tensor], linear: nn.Linear) -> list[Tensor]:
    """Queries, keys and values: the first, second and third WIDTH rows of the weights."""
    rows = [slice(n * WIDTH, (n + 1) * WIDTH) for n in range(3)]
    return [part @ linear.weight[one].T + linear.bias[one] for part, one in zip(parts, rows, strict=True)]


def softmaxed(query: Tensor, key: Tensor, value: Tensor, radius: float) -> Tensor:
    rows = []
    for t in range(len(query)):
        seen = [s for s in range(len(key)) if abs(s - t) <= radius]
        weights = [math.exp(float(query[t] @ key[s]) / math.sqrt(query.shape[1])) for s in seen]
        rows.append(sum(w * value[s] for w, s in zip(weights, seen, strict=True)) / sum(weights))
    return torch.stack(rows)  # type: ignore[arg-type]


def slow_block(block: Block, x: Tensor) -> Tensor:
    """A block in evaluation on one video [T, H], without padding."""
    settings, local = block.settings, block.local
    before = normed(x, block.norm_1)
    if settings.apart:
        pairs = zip(local.convolutions, local.norms, strict=True)  # type: ignore[arg-type]
        parts = [normed(depthwise(before, conv, block.stride), norm) for conv, norm in pairs]
    else:
        parts = [depthwise(before, local, block.stride)] * 3
    query, key, value = projections(parts, block.temporal)
    radius, heads, size = (settings.window or math.inf) / 2, block.heads, WIDTH // block.heads
    cut = [slice(head * size, (head + 1) * size) for head in range(heads)]
    mixed = torch.cat([softmaxed(query[:, one], key[:, one], value[:, one], radius) for one in cut], 1)
    if settings.theta is not None:
        assert block.channel is not None
        query, key, value = (part.T for part in projections(parts, block.channel))
        mixed = (1 - settings.theta) * mixed + settings.theta * softmaxed(query, key, value, math.inf).T
    if block.stride > 1:
        x = torch.stack([x[max(0, 2 * point - 1) : 2 * point + 2].amax(0) for point in range(len(mixed))])
    scales = torch.ones(2, WIDTH) if block.scales is None else block.scales
    x = x + scales[0] * (mixed @ block.out.weight.T + block.out.bias)
    first, last = block.mlp[0], block.mlp[3]
    hidden = normed(x, block.norm_2) @ first.weight.T + first.bias  # type: ignore[operator]
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return x + scales[1] * (hidden @ last.weight.T + last.bias)  # type: ignore[operator]


def randomised(module: nn.Module) -> None:
    """Random values wherever a fresh module has a constant, so that no term hides."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


@torch.no_grad()
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_block_equals_its_transcription_also_for_padded_videos(name: str, stride: int) -> None:
    torch.manual_seed(0)
    block = Block(SETTINGS[name], stride).double().eval()
    randomised(block)
    x, lengths = torch.randn(3, POINTS, WIDTH, dtype=torch.float64), [POINTS, 6, 1]
    valid = torch.arange(POINTS) < torch.tensor(lengths)[:, None]
    found, after = block(x, valid)
    assert after.sum(1).tolist() == [math.ceil(length / stride) for length in lengths]
    for video, length in enumerate(lengths):
        expected = slow_block(block, x[video, :length])
        torch.testing.assert_close(found[video, : len(expected)], expected, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(block(x[:1])[0][0], slow_block(block, x[0]), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", SETTINGS)
def test_levels_start_after_the_stem_and_halve(name: str) -> None:
    encoder, settings = Encoder(SETTINGS[name]).eval(), SETTINGS[name]
    assert [block.stride for block in encoder.blocks] == [1] * settings.stem + [2, 2]
    levels = encoder(torch.randn(1, POINTS, WIDTH), None)
    assert [level.shape[1] for level, _ in levels] == [11, 6, 3]
    assert [valid for _, valid in levels] == [None, None, None]


def test_actionformers_blocks_start_as_the_identity() -> None:
    block = Block(SETTINGS["ActionFormer"], 1).eval()
    x = torch.randn(1, POINTS, WIDTH)
    torch.testing.assert_close(block(x)[0], x, rtol=0, atol=1e-3)


def test_drop_path_skips_both_branches_of_some_videos_in_training_alone() -> None:
    """What is kept counts 1 / (1 − p), so that its mean is that of evaluation."""
    torch.manual_seed(0)
    block = Block(SETTINGS["ActionFormer"], 1)
    randomised(block)
    x = torch.randn(1, POINTS, WIDTH).expand(400, -1, -1)
    block.mlp[3].weight.data.zero_()
    block.mlp[3].bias.data.zero_()  # the second branch is zero
    with torch.no_grad():
        change = block(x)[0] - x
        whole = block.eval()(x[:1])[0] - x[:1]
    kept = change.abs().sum((1, 2)) > 0
    assert 150 < int(kept.sum()) < 250
    torch.testing.assert_close(change[kept], (2 * whole).expand(int(kept.sum()), -1, -1), rtol=1e-4, atol=1e-5)
