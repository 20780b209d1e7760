"""Compensation sampling: the map of time there and back, and what is carried along it, beside loops over one video."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tal_search.nn.compensation import (
    Resampling,
    clicks_held,
    instances,
    interpolate,
    proposals,
    runs,
    sampling_weights,
    shortest_lengths,
)
from tests.support.drawn_weights import SNIPPETS, masks, stretches, weights

pytestmark = pytest.mark.usefixtures("one_thread")


def make(rows: list[list[float]], stretch: float = 8.0) -> Resampling:
    return Resampling.of(torch.tensor(rows), stretch)


def spans(mask: list[bool]) -> list[tuple[int, int]]:
    """(first, end) of every run of True."""
    found, first = [], None
    for position, value in enumerate([*mask, False]):
        if value and first is None:
            first = position
        elif not value and first is not None:
            found.append((first, position))
            first = None
    return found


@given(rows=weights, stretch=stretches, shares=st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_times_come_back_to_where_they_were(rows: list[list[float]], stretch: float, shares: list[float]) -> None:
    resampling = make(rows, stretch)
    old = SNIPPETS * torch.tensor([sorted(shares)] * len(rows), dtype=torch.float64)
    new = resampling.there(old)
    torch.testing.assert_close(resampling.back(new), old, rtol=0, atol=1e-9)
    assert (new.diff(dim=1) >= 0).all()
    detected = resampling.lengths_B[:, None] * torch.tensor(sorted(shares), dtype=torch.float64)
    torch.testing.assert_close(resampling.there(resampling.back(detected)), detected, rtol=0, atol=1e-9)
    ends = torch.tensor([[0.0, SNIPPETS]] * len(rows), dtype=torch.float64)
    assert resampling.there(ends).tolist() == [[0.0, length] for length in resampling.lengths_B.tolist()]


@given(rows=weights, stretch=stretches)
@settings(max_examples=40, deadline=None)
def test_time_runs_as_the_weights_say_to_a_whole_snippet(rows: list[list[float]], stretch: float) -> None:
    resampling = make(rows, stretch)
    room = int(stretch * SNIPPETS) - SNIPPETS
    for row, edges in zip(rows, resampling.edges_BT1.tolist(), strict=True):
        excess = np.array(row) - 1
        shrunk = 1 + excess * min(1.0, room / max(excess.sum(), 1e-9))
        assert all(edge == int(edge) for edge in edges)
        np.testing.assert_allclose(edges, np.concatenate([[0], np.cumsum(shrunk)]), atol=0.5 + 1e-6)
        assert min(np.diff(edges)) >= 1, "no snippet is lost"
        assert edges[-1] <= int(stretch * SNIPPETS)
    assert resampling.most == resampling.lengths_B.max()
    assert resampling.valid_BP.sum(1).tolist() == resampling.lengths_B.tolist()


def test_snippets_of_weight_one_are_read_as_they_were() -> None:
    row = [1.0] * 6 + [2.6] * 3 + [1.0] * 15
    resampling = make([row])
    features = torch.randn(1, 2, SNIPPETS)
    found = resampling.features(features)
    assert resampling.most == SNIPPETS + 5
    assert torch.equal(found[..., :6], features[..., :6])
    assert torch.equal(found[..., -15:], features[..., -15:])


@given(rows=weights, stretch=stretches, clicked=masks)
@settings(max_examples=40, deadline=None)
def test_a_click_lies_in_the_new_snippet_that_holds_its_time(
    rows: list[list[float]], stretch: float, clicked: list[bool]
) -> None:
    resampling = make(rows, stretch)
    clicks = torch.tensor([[clicked]] * len(rows))
    moved = resampling.clicks(clicks)
    for video, row in enumerate(rows):
        alone = make([row], stretch)
        new = moved[video, 0].nonzero().flatten().double()[None]
        low, high = alone.back(new)[0].tolist(), alone.back(new + 1)[0].tolist()
        centres = [t + 0.5 for t in range(SNIPPETS) if clicked[t]]
        assert len(low) == len(centres), "no click is lost or made up, and no two meet"
        assert all(a - 1e-9 <= x <= b + 1e-9 for a, x, b in zip(low, centres, high, strict=True))
        assert torch.equal(resampling.snippets_back(moved)[video, 0], clicks[video, 0])


@given(rows=weights, stretch=stretches, seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_features_are_read_linearly_at_the_new_centres(rows: list[list[float]], stretch: float, seed: int) -> None:
    resampling = make(rows, stretch)
    features = torch.randn(len(rows), 2, SNIPPETS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = resampling.features(features)
    for video, edges in enumerate(resampling.edges_BT1.numpy()):
        length = int(edges[-1])
        old = np.interp(np.arange(length) + 0.5, edges, np.arange(SNIPPETS + 1)) - 0.5
        for channel in range(2):
            expected = np.interp(old, np.arange(SNIPPETS), features[video, channel].numpy())
            np.testing.assert_allclose(found[video, channel, :length].numpy(), expected, atol=1e-9)
    assert not found[:, 0][~resampling.valid_BP].any()


def test_even_weights_change_nothing() -> None:
    features = torch.randn(2, 3, SNIPPETS)
    labels = torch.rand(2, 3, SNIPPETS) < 0.3
    for resampling in (Resampling.even(features), make([[1.0] * SNIPPETS] * 2)):
        assert resampling.most == SNIPPETS
        assert torch.equal(resampling.features(features), features)
        assert torch.equal(resampling.clicks(labels), labels)
        assert torch.equal(resampling.labels(labels), labels)
        assert torch.equal(resampling.snippets_back(features), features)
        assert torch.equal(resampling.sequences_back(features, SNIPPETS), features)


@given(rows=weights, mask=masks)
@settings(max_examples=40, deadline=None)
def test_dense_labels_come_back_to_where_they_were(rows: list[list[float]], mask: list[bool]) -> None:
    labels = torch.tensor([[mask]] * len(rows))
    resampling = make(rows)
    assert torch.equal(resampling.snippets_back(resampling.labels(labels)), labels)


@given(mask=masks, clicked=masks)
@settings(max_examples=40, deadline=None)
def test_runs_and_the_clicks_they_hold(mask: list[bool], clicked: list[bool]) -> None:
    first, end = runs(torch.tensor(mask))
    held = clicks_held(torch.tensor(clicked), first, end)
    for begin, stop in spans(mask):
        assert set(zip(first[begin:stop].tolist(), end[begin:stop].tolist(), strict=True)) == {(begin, stop)}
        assert set(held[begin:stop].tolist()) == {sum(clicked[begin:stop])}


@given(mask=masks, other=masks, tau=st.sampled_from([0.0, 1.0, 3.0, 7.5]))
@settings(max_examples=40, deadline=None)
def test_short_proposals_weigh_what_they_lack(mask: list[bool], other: list[bool], tau: float) -> None:
    expected = np.ones(SNIPPETS)
    for first, end in spans(mask) + spans(other):
        if end - first < tau:
            expected[first:end] = np.maximum(expected[first:end], tau / (end - first))
    proposed = torch.tensor([[mask, other]])
    found = sampling_weights(shortest_lengths(proposed, Resampling.even(torch.zeros(1, 1, SNIPPETS))), tau)
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-6)


@given(rows=weights, mask=masks, tau=st.sampled_from([2.0, 7.5]))
@settings(max_examples=40, deadline=None)
def test_proposals_on_resampled_videos_are_measured_in_old_snippets(
    rows: list[list[float]], mask: list[bool], tau: float
) -> None:
    resampling = make(rows[:1], 16.0)
    on_new = resampling.labels(torch.tensor([[mask]]))
    found = sampling_weights(shortest_lengths(on_new, resampling), tau)[0].numpy()
    edges = resampling.edges_BT1[0].numpy()
    expected = np.ones(SNIPPETS)
    for first, end in spans(on_new[0, 0].tolist()):
        old = np.interp([first, end], edges, np.arange(SNIPPETS + 1))
        inside = [t for t in range(SNIPPETS) if first <= int(np.interp(t + 0.5, np.arange(SNIPPETS + 1), edges)) < end]
        expected[inside] = max(1.0, tau / max(1.0, old[1] - old[0]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_proposals_are_runs_of_present_classes_above_a_share_of_their_highest() -> None:
    scores = torch.tensor([[[0.1, 0.5, 0.9, 0.2, 0.9], [0.2, 0.1, 0.1, 0.05, 0.9], [0.9, 0.9, 0.9, 0.9, 0.9]]])
    present, valid = torch.tensor([[True, True, False]]), torch.tensor([[True, True, True, True, False]])
    proposed = proposals(scores, present, 0.5, valid)
    assert proposed.int().tolist() == [[[0, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]]
    clicks = torch.tensor([[[0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]]]) > 0
    even = Resampling.even(scores)
    assert instances(proposed, clicks, even).int().tolist() == [[[0, 1, 1, 0, 0], [0] * 5, [0] * 5]]
    clicks[0, 0, 1] = True
    assert not instances(proposed, clicks, even).any(), "two clicks are two instances"


def old_spans(sequence: Tensor, threshold: float, scale: float) -> list[tuple[float, float]]:
    return [(a * scale, b * scale) for a, b in spans((sequence >= threshold).tolist())]


def test_runs_of_a_sequence_taken_back_are_the_runs_taken_back() -> None:
    resampling = make([[1.0] * 8 + [4.0] * 4 + [1.0] * 12])
    knots = torch.tensor([[[0.1, 0.9, 0.3, 0.8, 0.2, 0.7, 0.0, 0.6, 0.9]]])
    sequence = interpolate(knots, torch.linspace(0, 8, resampling.most)[None])
    fine = 200 * SNIPPETS
    taken = old_spans(resampling.sequences_back(sequence, fine)[0, 0], 0.5, SNIPPETS / fine)
    finer = sequence[0, 0].new_tensor(np.interp((np.arange(fine) + 0.5) / fine * resampling.most - 0.5,
                                                np.arange(resampling.most), sequence[0, 0].numpy()))  # fmt: skip
    new = torch.tensor(old_spans(finer, 0.5, resampling.most / fine), dtype=torch.float64)
    back = resampling.back(new.flatten()[None])[0].view(-1, 2)
    assert len(taken) == len(back) > 1
    torch.testing.assert_close(torch.tensor(taken, dtype=torch.float64), back, rtol=0, atol=0.02)
