"""The parts of ASL's losses against loops written from the equations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tal_search.nn import action_sensitivity
from tests.support.small_instances import BATCH, CLASSES, SNIPPETS, listed, problem

WIDTH = 5


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
