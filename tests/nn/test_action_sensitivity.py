"""The parts of ASL's losses against loops written from the equations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tal_search.nn import action_sensitivity, assignment
from tal_search.nn.pyramid import Block

BATCH, CLASSES, SNIPPETS, WIDTH = 3, 3, 24, 5
LENGTHS = [24, 12, 6]


def problem(seed: int, most: int) -> tuple[Tensor, Tensor]:
    """Up to `most` instances a video, some shorter than a snippet, on a grid of quarters: segments and labels."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(0, 4 * SNIPPETS - 1, (BATCH, most), generator=generator).double() / 4
    length = torch.randint(1, 50, (BATCH, most), generator=generator).double() / 4
    segments = torch.stack([start, (start + length).clamp_max(SNIPPETS)], 2)
    labels = torch.randint(0, CLASSES, (BATCH, most), generator=generator)
    count = torch.randint(0, most + 1, (BATCH, 1), generator=generator)
    absent = torch.arange(most) >= count
    return segments.masked_fill(absent[..., None], 0), labels.masked_fill(absent, -1)


def listed(segments: Tensor, labels: Tensor, video: int) -> list[tuple[float, float, int]]:
    pairs = zip(segments[video].tolist(), labels[video].tolist(), strict=True)
    return [(start, end, label) for (start, end), label in pairs if label >= 0]


segment = st.tuples(st.integers(0, 30), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(segment, segment)
def test_overlaps_count_the_cells_that_segments_share(a: tuple[int, int], b: tuple[int, int]) -> None:
    cells_a, cells_b = set(range(*a)), set(range(*b))
    tiou = len(cells_a & cells_b) / len(cells_a | cells_b)
    hull = max(*cells_a, *cells_b) + 1 - min(*cells_a, *cells_b)
    apart = (sum(cells_a) / len(cells_a) - sum(cells_b) / len(cells_b)) / hull
    found = assignment.overlaps(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64))
    assert [float(value) for value in found] == pytest.approx([tiou, tiou - apart**2], abs=1e-12)


def test_overlaps_have_gradients_where_segments_do_not_touch() -> None:
    predicted = torch.tensor([[0.0, 1.0]], requires_grad=True)
    (1 - assignment.overlaps(predicted, torch.tensor([[5.0, 9.0]]))[1]).sum().backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None
    assert predicted.grad.sum() < 0, "on the whole to the right, where the instance is"


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_focal_loss_equals_the_formula(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(2, 6, CLASSES, generator=generator, dtype=torch.float64)
    inside = torch.rand(2, 6, generator=generator) < 0.5
    label = torch.randint(CLASSES, (2, 6), generator=generator) * inside
    found = assignment.focal_loss(logits, inside, label)
    for b in range(2):
        for p in range(6):
            expected = 0.0
            for c in range(CLASSES):
                score = 1 / (1 + math.exp(-float(logits[b, p, c])))
                if inside[b, p] and label[b, p] == c:
                    expected += -0.25 * (1 - score) ** 2 * math.log(score)
                else:
                    expected += -0.75 * score**2 * math.log(1 - score)
            assert float(found[b, p]) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 10_000), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_each_point_learns_the_shortest_instance_within_its_levels_reach(seed: int, most: int) -> None:
    segments, labels = problem(seed, most)
    targets = assignment.assign(LENGTHS, segments.float(), labels)
    reach = [(0, 4), (4, 8), (8, math.inf)]
    points = [(level, t * 2**level + 0.5) for level, points in enumerate(LENGTHS) for t in range(points)]
    for b in range(BATCH):
        for p, (level, time) in enumerate(points):
            low, high = reach[level]
            meant = [
                (end - start, start, end, label)
                for start, end, label in listed(segments, labels, b)
                if start < time < end and low <= max(time - start, end - time) < high
            ]
            assert bool(targets.inside[b, p]) == bool(meant)
            if not meant:
                assert targets.label[b, p] == 0
                continue
            length = min(meant)[0]
            _, start, end, label = next(one for one in meant if one[0] == length)  # of equal ones the first
            assert targets.segment[b, p].tolist() == [start, end]
            assert int(targets.label[b, p]) == label
            assert float(targets.position[b, p]) == pytest.approx((time - start) / (end - start) - 0.5, abs=1e-5)


def test_class_sensitivity_is_one_gaussian_for_the_class_and_two_for_the_boundaries() -> None:
    part = action_sensitivity.ClassSensitivity(2)
    with torch.no_grad():
        part.means[:, 1] = torch.tensor([0.1, -0.4, 0.3])
        part.log_deviations[:, 1] = torch.tensor([0.5, 0.2, 0.3]).log()
    p_cls, p_loc = part(torch.tensor([-0.2]), torch.tensor([1]))
    start, end = math.exp(-((-0.2 + 0.4) ** 2) / (2 * 0.04)), math.exp(-((-0.2 - 0.3) ** 2) / (2 * 0.09))
    assert p_cls.item() == pytest.approx(math.exp(-((-0.2 - 0.1) ** 2) / (2 * 0.25)))
    assert p_loc.item() == pytest.approx(start + end)


def share(frame: int, start: float, end: float) -> float:
    """Of a frame within a segment."""
    return max(0.0, min(frame + 1, end) - max(frame, start))


@given(st.integers(0, 10_000), st.integers(0, 4), st.booleans())
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_features_of_classes_and_backgrounds_are_weighted_sums_of_frames(seed: int, most: int, gaussians: bool) -> None:
    segments, labels = problem(seed, most)
    frames = torch.randn(BATCH, SNIPPETS, WIDTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    part = action_sensitivity.ClassSensitivity(CLASSES).double() if gaussians else None
    found, present = action_sensitivity.class_features(frames, segments, labels, CLASSES, part)
    background, has_background = action_sensitivity.background_features(frames, segments, labels, 0.2)
    for b in range(BATCH):
        expected = torch.zeros(2, CLASSES, WIDTH, dtype=torch.float64)
        near, mine = torch.zeros(WIDTH, dtype=torch.float64), listed(segments, labels, b)
        for t in range(SNIPPETS):
            inside = min(1.0, sum(share(t, start, end) for start, end, _ in mine))
            for start, end, label in mine:
                position = min(0.5, max(-0.5, (t + 0.5 - (start + end) / 2) / (end - start)))
                p = part(torch.tensor(position, dtype=torch.float64), torch.tensor(label)) if part else (1.0, 1.0)
                for task in range(2):
                    expected[task, label] += share(t, start, end) * float(p[task]) * frames[b, t]
                margin = 0.2 * (end - start)
                near += (share(t, start - margin, start) + share(t, end, end + margin)) * (1 - inside) * frames[b, t]
        torch.testing.assert_close(found[:, b], expected, atol=1e-9, rtol=1e-9)
        torch.testing.assert_close(background[b], near, atol=1e-9, rtol=1e-9)
        assert present[b].tolist() == [any(label == c for *_, label in mine) for c in range(CLASSES)]
        assert bool(has_background[b]) == bool((near != 0).any())


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=25, deadline=None)
def test_contrastive_loss_equals_the_formula(seed: int, density: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, BATCH, CLASSES, WIDTH, generator=generator, dtype=torch.float64)
    present = torch.rand(BATCH, CLASSES, generator=generator) < density
    background = torch.randn(BATCH, WIDTH, generator=generator, dtype=torch.float64)
    has_background = torch.rand(BATCH, generator=generator) < 0.7
    features = (features * present[..., None]).requires_grad_()
    found = action_sensitivity.contrastive_loss(features, present, background, has_background)

    def similar(a: Tensor, b: Tensor) -> float:
        return math.exp(float(a @ b / a.norm() / b.norm()) / action_sensitivity.TEMPERATURE)

    anchors = [
        (c, features[task, b, c].detach()) for task in range(2) for b in range(BATCH) for c in range(CLASSES)
        if present[b, c]
    ]  # fmt: skip
    backgrounds = [background[b] for b in range(BATCH) if has_background[b]]
    terms = []
    for number, (label, anchor) in enumerate(anchors):
        others = [(c, other) for place, (c, other) in enumerate(anchors) if place != number]
        positive = sum(similar(anchor, other) for c, other in others if c == label)
        negative = sum(similar(anchor, other) for c, other in others if c != label)
        negative += sum(similar(anchor, other) for other in backgrounds)
        terms.append(-math.log(positive / (positive + negative)))
    assert found.item() == pytest.approx(sum(terms) / len(terms) if terms else 0.0, abs=1e-9)
    found.backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("theta", [0.0, 0.2, 1.0])
def test_attention_mixes_time_and_channels_as_the_equations_do(theta: float) -> None:
    torch.manual_seed(0)
    block = Block(4, 1, theta, 0.0).double()
    heads = block.heads
    x = torch.randn(1, 6, 4, dtype=torch.float64)
    mixed = (1 - theta) * block._over_time(x) + theta * block._over_channels(x)
    q_t, k_t, v_t = block.temporal(x)[0].chunk(3, dim=1)  # [T, H]
    q_d, k_d, v_d = (part.T for part in block.channel(x)[0].chunk(3, dim=1))  # [H, T]
    f_ta = torch.zeros(6, 4, dtype=torch.float64)
    for h in range(heads):
        one = slice(h * 4 // heads, (h + 1) * 4 // heads)
        f_ta[:, one] = (q_t[:, one] @ k_t[:, one].T / math.sqrt(4 // heads)).softmax(1) @ v_t[:, one]
    f_ca = (q_d @ k_d.T / math.sqrt(6)).softmax(1) @ v_d
    torch.testing.assert_close(mixed[0], (1 - theta) * f_ta + theta * f_ca.T)
