"""Assignment of points to instances, overlaps and the focal loss against loops written from the equations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.nn import assignment
from tests.support.small_instances import BATCH, CLASSES, listed, problem

LENGTHS = [24, 12, 6]


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


@given(st.integers(0, 10_000), st.integers(0, 5), st.sampled_from([None, 0.7, 1.5]))
@settings(max_examples=60, deadline=None)
def test_each_point_learns_the_shortest_instance_within_its_levels_reach(
    seed: int, most: int, radius: float | None
) -> None:
    """radius: of centre sampling, in strides; and which classes have an instance as short as the chosen one."""
    segments, labels = problem(seed, most)
    targets = assignment.assign(LENGTHS, segments.float(), labels, radius=radius)
    classes = targets.classes(labels, CLASSES)
    reach = [(0, 4), (4, 8), (8, math.inf)]
    points = [(level, t * 2**level + 0.5) for level, points in enumerate(LENGTHS) for t in range(points)]
    for b in range(BATCH):
        for p, (level, time) in enumerate(points):
            low, high = reach[level]
            near = math.inf if radius is None else radius * 2**level
            meant = [
                (end - start, start, end, label)
                for start, end, label in listed(segments, labels, b)
                if start < time < end
                and low <= max(time - start, end - time) < high
                and abs(time - (start + end) / 2) < near
            ]
            assert bool(targets.inside[b, p]) == bool(meant)
            if not meant:
                assert targets.label[b, p] == 0
                assert not classes[b, p].any()
                continue
            length = min(meant)[0]
            _, start, end, label = next(one for one in meant if one[0] == length)  # of equal ones the first
            assert targets.segment[b, p].tolist() == [start, end]
            assert int(targets.label[b, p]) == label
            assert float(targets.position[b, p]) == pytest.approx((time - start) / (end - start) - 0.5, abs=1e-5)
            assert set(classes[b, p].nonzero()[:, 0].tolist()) == {one[3] for one in meant if one[0] == length}


def test_an_instance_of_two_classes_teaches_both() -> None:
    """As THUMOS14's cliff dives, each of which is annotated as a dive too."""
    segments = torch.tensor([[[2.0, 6.0], [2.0, 6.0004], [1.0, 20.0]]])
    labels = torch.tensor([[0, 2, 1]])
    targets = assignment.assign(LENGTHS, segments, labels)
    assert targets.classes(labels, CLASSES)[0, 3].tolist() == [True, False, True]
