"""SF-Net's mined background, click losses and click expansion against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tal_search.nn import sfnet

pytestmark = pytest.mark.usefixtures("one_thread")

BATCH, CLASSES, SNIPPETS = 3, 4, 18


def problem(seed: int, density: float, batch: int = BATCH) -> tuple[Tensor, Tensor]:
    """CAS [B, C+1, T] with ties, and action clicks bool [B, C, T]; a snippet may have two classes, a video none."""
    generator = torch.Generator().manual_seed(seed)
    cas = torch.randint(-6, 7, (batch, CLASSES + 1, SNIPPETS), generator=generator).double() / 2
    clicks = torch.rand(batch, CLASSES, SNIPPETS, generator=generator) < density
    clicks &= torch.rand(batch, 1, 1, generator=generator) < 0.8
    return cas, clicks


PROBLEMS = (st.integers(0, 10_000), st.sampled_from([0.0, 0.03, 0.1, 0.4]))


def naive_mined(scores: Tensor, clicked: Tensor, ratio: float) -> list[tuple[int, int]]:
    candidates, wanted = [], 0
    for b in range(len(scores)):
        clicks = int(clicked[b].sum())
        take = min(int(clicks * ratio), SNIPPETS - clicks)
        if take >= 1:
            wanted += take
            candidates += [(b, t) for t in range(SNIPPETS) if not clicked[b, t]]
    return sorted(candidates, key=lambda place: -float(scores[place]))[:wanted]


@given(*PROBLEMS, st.sampled_from([0.0, 0.5, 1.0, 7.0]))
@settings(max_examples=80, deadline=None)
def test_mined_background_is_the_highest_of_the_batch(seed: int, density: float, ratio: float) -> None:
    cas, clicks = problem(seed, density)
    scores, clicked = cas[:, -1], clicks.any(1)
    mask = sfnet.mined(scores, clicked, ratio)
    assert sorted(naive_mined(scores, clicked, ratio)) == [tuple(place) for place in mask.nonzero().tolist()]


@given(*PROBLEMS)
@settings(max_examples=60, deadline=None)
def test_click_and_actionness_losses_equal_the_equations(seed: int, density: float) -> None:
    cas, clicks = problem(seed, density)
    logits, clicked = cas[:, 0], clicks.any(1)
    background, last = sfnet.mined(logits, clicked, 7.0), sfnet.last_unclicked(clicked, 7.0)
    entropies = []
    for b, t in clicked.nonzero().tolist():
        mine = clicks[b, :, t].nonzero().flatten().tolist()
        entropies.append(sum(-float(cas[b, :, t].log_softmax(0)[c]) for c in mine) / len(mine))
    sigmoid = torch.sigmoid(logits)
    positive = [-math.log(sigmoid[b, t]) for b, t in clicked.nonzero().tolist()]
    negative = [-math.log(1 - sigmoid[b, t]) for b, t in background.nonzero().tolist()]
    guarded = [-math.log(1.001 - sigmoid[b, t]) for b, t in last.nonzero().tolist()]
    mean = [sum(terms) / max(1, len(terms)) for terms in (entropies, positive, negative, guarded)]
    assert float(sfnet.click_loss(cas, clicks)) == pytest.approx(mean[0])
    assert float(sfnet.actionness_loss(logits, clicked, background)) == pytest.approx(mean[1] + mean[2])
    assert float(sfnet.actionness_loss(logits, clicked, last, 1e-3)) == pytest.approx(mean[1] + mean[3])


@given(*PROBLEMS)
@settings(max_examples=40, deadline=None)
def test_the_releases_negatives_are_the_last_of_the_batch(seed: int, density: float) -> None:
    _, clicks = problem(seed, density)
    clicked = clicks.any(1)
    free = [(b, t) for b in range(BATCH) for t in range(SNIPPETS) if clicked[b].any() and not clicked[b, t]]
    wanted = sum(min(7 * int(row.sum()), int((~row).sum())) for row in clicked)
    expected = free[len(free) - wanted :]
    assert [tuple(place) for place in sfnet.last_unclicked(clicked, 7.0).nonzero().tolist()] == expected


def naive_expanded(cas: Tensor, clicks: Tensor, radius: int, share: float) -> list[tuple[int, ...]]:
    """The paper's: a side grows while the click's own class is the highest."""
    found = {tuple(place) for place in clicks.nonzero().tolist()}
    best, clicked = cas.argmax(1), clicks.any(1)
    for b, c, t in clicks.nonzero().tolist():
        for direction in (-1, 1):
            for step in range(1, radius + 1):
                at = t + direction * step
                if not 0 <= at < cas.shape[2] or clicked[b, at] or best[b, at] != c:
                    break
                if not cas[b, c, at] >= share * cas[b, c, t]:
                    break
                found.add((b, c, at))
    return sorted(found)


@given(*PROBLEMS, st.integers(1, 20), st.sampled_from([0.0, 0.5, 0.95]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_clicks_grow_while_class_and_score_stay(
    seed: int, density: float, radius: int, share: float, smooth: bool
) -> None:
    cas, clicks = problem(seed, density)
    if smooth:  # so that clicks can grow to the radius
        cas = cas[:, :, : SNIPPETS // 6].repeat_interleave(6, dim=2)
    grown = sfnet.expanded(cas[:, :-1], clicks, radius, share)
    assert naive_expanded(cas[:, :-1], clicks, radius, share) == [tuple(place) for place in grown.nonzero().tolist()]


def naive_released(cas: Tensor, clicks: Tensor, radius: int, share: float) -> list[tuple[int, ...]]:
    """The release's, by lists of classes: each snippet's labels so far."""
    found = []
    for b in range(len(cas)):
        labels = [set(clicks[b, :, t].nonzero().flatten().tolist()) for t in range(cas.shape[2])]
        winner = [int(cas[b, :, t].argmax()) for t in range(cas.shape[2])]

        def mean(t: int, classes: set[int], b: int = b) -> float:
            return float(np.mean([float(cas[b, c, t]) for c in sorted(classes)]))

        for t in [t for t, mine in enumerate(labels) if mine]:
            for direction in (-1, 1):
                for offset in range(1, radius + 1):
                    near, at, beyond = (t + direction * step for step in (1, offset, offset + 1))
                    if not all(0 <= place < cas.shape[2] for place in (near, at, beyond)) or labels[at]:
                        break
                    same = winner[near] == winner[at] == winner[beyond]
                    if same and mean(at, labels[t]) >= share * mean(t, labels[t]):
                        labels[at] = labels[t]
        found += [(b, c, t) for t, mine in enumerate(labels) for c in mine]
    return sorted(found)


@given(*PROBLEMS, st.integers(1, 20), st.sampled_from([0.0, 0.5, 0.95]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_clicks_grow_in_order_as_released(seed: int, density: float, radius: int, share: float, smooth: bool) -> None:
    cas, clicks = problem(seed, density)
    if smooth:
        cas = cas[:, :, : SNIPPETS // 6].repeat_interleave(6, dim=2)
    before = clicks.clone()
    grown = sfnet.expanded_as_released(cas[:, :-1], clicks, radius, share)
    assert naive_released(cas[:, :-1], clicks, radius, share) == [tuple(place) for place in grown.nonzero().tolist()]
    assert torch.equal(clicks, before)


def test_how_the_variants_grow_a_click() -> None:
    """The click at 3 is of class 0, which is nowhere the highest: it is class 1 from 2 to 5, and class 2 at 6 and 7."""
    cas = torch.zeros(1, 3, 8)
    cas[0, 1, 2:6], cas[0, 2, 6:] = 1.0, 1.0
    clicks = torch.zeros(1, 3, 8, dtype=torch.bool)
    clicks[0, 0, 3] = True
    assert torch.equal(sfnet.expanded(cas, clicks, 3, 0.95), clicks)
    # At 4 the highest class is that of 4 and 5; at 5, 6 is another, and at 6, 4 is.
    assert sfnet.expanded_as_released(cas, clicks, 3, 0.95)[0, 0].nonzero().flatten().tolist() == [3, 4]
    clicks[0, 0, 3], clicks[0, 1, 3] = False, True
    assert sfnet.expanded(cas, clicks, 3, 0.95)[0, 1].nonzero().flatten().tolist() == [2, 3, 4, 5]


def test_the_video_loss_is_a_mean_over_videos_with_labels() -> None:
    scores, labels = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)), torch.zeros(3, 4)
    labels[0, 1] = labels[2, :2] = 1
    logs = scores.log_softmax(1)
    expected = -(logs[0, 1] + (logs[2, 0] + logs[2, 1]) / 2) / 2
    torch.testing.assert_close(sfnet.video_loss(scores, labels), expected)


@given(*PROBLEMS, st.lists(st.integers(1, SNIPPETS), min_size=BATCH, max_size=BATCH), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_padding_is_never_mined_and_no_click_grows_into_it(
    seed: int, density: float, lengths: list[int], high: int
) -> None:
    """Each video has the negatives and the grown clicks that it has alone; beyond its end every value is tempting."""
    cas, clicks = problem(seed, density)
    length = torch.tensor(lengths)
    valid = torch.arange(SNIPPETS) < length[:, None]
    clicks &= valid[:, None]
    cas = cas.masked_fill(~valid[:, None], float(high))
    scores, clicked = cas[:, -1], clicks.any(1)
    for mask in (sfnet.mined(scores, clicked, 7.0, valid), sfnet.last_unclicked(clicked, 7.0, valid)):
        assert not (mask & ~valid).any()
        quota = [min(7 * int(row.sum()), end - int(row.sum())) for row, end in zip(clicked, lengths, strict=True)]
        assert int(mask.sum()) == sum(quota)
    flat = torch.cat([row[:end] for row, end in zip(scores, lengths, strict=True)])
    taken = torch.cat([row[:end] for row, end in zip(sfnet.mined(scores, clicked, 7.0, valid), lengths, strict=True)])
    free = torch.cat([~row[:end] & row.any() for row, end in zip(clicked, lengths, strict=True)])
    left = flat[free & ~taken].tolist()
    assert min(flat[taken].tolist(), default=math.inf) >= max(left, default=-math.inf)
    for grow in (sfnet.expanded, sfnet.expanded_as_released):
        grown = grow(cas[:, :-1], clicks, 4, 0.5, length)
        assert not (grown & ~valid[:, None]).any()
        for row, end in enumerate(lengths):
            alone = grow(cas[row : row + 1, :-1, :end], clicks[row : row + 1, :, :end], 4, 0.5)
            assert torch.equal(grown[row, :, :end], alone[0])
