"""Representative segments: losses, background, segments and prototypes beside loops written from the equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.nn import representative as parts
from tests.support.naive_representative import (
    BATCH,
    CHANNELS,
    CLASSES,
    SNIPPETS,
    lengths_mask,
    make_batch,
    make_method,
    naive_background,
    naive_segment,
    naive_snippet_loss,
    rand,
    seeds,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@given(seed=seeds, ratio=st.sampled_from([0.01, 1 / 8, 0.5, 1.0]))
@settings(max_examples=40, deadline=None)
def test_video_scores_take_a_share_of_each_videos_own_length(seed: int, ratio: float) -> None:
    scores, valid = rand(seed, BATCH, CLASSES, SNIPPETS), lengths_mask(seed)
    found = parts.video_scores(scores, valid, ratio)
    for b in range(BATCH):
        length = int(valid[b].sum())
        k = max(1, math.floor(ratio * length + 1e-9))
        for c in range(CLASSES):
            highest = sorted(scores[b, c, :length].tolist(), reverse=True)[:k]
            assert float(found[b, c]) == pytest.approx(sum(highest) / k)


@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_cross_entropies_equal_the_equations(seed: int) -> None:
    scores, labels = rand(seed, BATCH, CLASSES), (rand(seed + 1, BATCH, CLASSES) < 0.4).double()
    p = scores.tolist()
    expected = sum(-math.log(p[b][c] if labels[b, c] else 1 - p[b][c]) for b in range(BATCH) for c in range(CLASSES))
    assert float(parts.video_loss(scores, labels)) == pytest.approx(expected / BATCH / CLASSES)
    dense, target = rand(seed, BATCH, CLASSES + 1, SNIPPETS), rand(seed + 2, BATCH, CLASSES + 1, SNIPPETS) < 0.3
    chosen = rand(seed + 3, BATCH, SNIPPETS) < 0.2
    found = float(parts.snippet_loss(dense, target, chosen))
    assert found == pytest.approx(naive_snippet_loss(dense, target, chosen.nonzero().tolist()))


@given(seed=seeds, clicks=st.sampled_from([0.0, 0.03, 0.1, 0.3]), grown=st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=100, deadline=None)
def test_background_fills_what_lies_between_seeds_and_outside_the_clicks(
    seed: int, clicks: float, grown: float
) -> None:
    scores, valid = rand(seed, BATCH, SNIPPETS), lengths_mask(seed)
    scores = (10 * scores).round() / 10 if seed % 3 == 0 else scores  # with ties
    clicked = (rand(seed + 2, BATCH, CLASSES, SNIPPETS) < clicks / CLASSES) & valid[:, None]
    labels = clicked | ((rand(seed + 3, BATCH, CLASSES, SNIPPETS) < grown) & valid[:, None])
    found = parts.mined_background(scores, clicked, labels, valid)
    for b in range(BATCH):
        places = clicked[b].any(0).nonzero().flatten().tolist()
        labelled = set(labels[b].any(0).nonzero().flatten().tolist())
        expected = naive_background(scores[b, : int(valid[b].sum())].tolist(), places, labelled)
        assert set(found[b].nonzero().flatten().tolist()) == expected


@pytest.mark.parametrize(
    ("scores", "clicks", "background"),
    [
        # certain snippets: from the first to the last of a section, and out to both ends of the video
        ([0, 0.97, 0, 0, 0.2, 0.96, 0, 0.98, 0, 0, 0.99, 0], [3, 9], {0, 1, 5, 6, 7, 10, 11}),
        # none is certain: the highest of each section
        ([0, 0.4, 0.3, 0, 0.2, 0.6, 0, 0.5, 0, 0, 0.1, 0.3], [3, 9], {0, 1, 5, 11}),
        # nothing lies outside clicks on the first and the last snippet, or between two that touch
        ([0, 0, 0.3, 0.2, 0, 0], [0, 1, 5], {2}),
        ([0.99] * 6, [], set()),
    ],
)
def test_background_of_a_video_by_hand(scores: list[float], clicks: list[int], background: set[int]) -> None:
    clicked = torch.zeros(1, 2, len(scores), dtype=torch.bool)
    clicked[0, [t % 2 for t in clicks], clicks] = True
    valid = torch.ones(1, len(scores), dtype=torch.bool)
    found = parts.mined_background(torch.tensor([scores]), clicked, clicked, valid)
    assert set(found[0].nonzero().flatten().tolist()) == background


@torch.no_grad()
def test_losses_of_a_batch_equal_the_equations() -> None:
    """In the first round: L_vid of S_c itself, L_point at clicks, L_ins at clicks and at background, a mean of each."""
    method, batch = make_method(), make_batch()
    losses = method.losses(batch, "all")
    valid = torch.ones(BATCH, SNIPPETS, dtype=torch.bool)
    features = method.network.backbone(batch.features).relu()
    hidden = parts.redistribute(features, method.network.prototypes, valid, 0.5)
    raw = method.network.classifier(hidden).sigmoid().double()
    fused = torch.cat([raw[:, :-1] * (1 - raw[:, -1:]), raw[:, -1:]], 1)
    k = math.floor(SNIPPETS / 8)
    whole = [[sorted(raw[b, c].tolist())[-k:] for c in range(CLASSES)] for b in range(BATCH)]
    scores = [[sum(highest) / k for highest in row] for row in whole]
    entropies = [
        -math.log(p if batch.labels[b, c] else 1 - p) for b, row in enumerate(scores) for c, p in enumerate(row)
    ]
    assert float(losses["video"]) == pytest.approx(sum(entropies) / len(entropies), rel=1e-5)
    clicked = batch.action_clicks.any(1)
    target = torch.cat([batch.action_clicks, torch.zeros_like(clicked)[:, None]], 1)
    point = naive_snippet_loss(fused, target, clicked.nonzero().tolist())
    assert float(losses["point"]) == pytest.approx(point, rel=1e-5)
    outside = [
        [b, t]
        for b in range(BATCH)
        for t in naive_background(raw[b, -1].tolist(), clicked[b].nonzero().flatten().tolist(), set())
    ]
    target = torch.zeros_like(target)
    target[:, -1] = True
    background = naive_snippet_loss(fused, target, outside)
    assert float(losses["instance"]) == pytest.approx(point + background, rel=1e-5)


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_the_representative_segment_is_the_one_of_highest_contrast(seed: int) -> None:
    scores, valid = rand(seed, BATCH, 2, SNIPPETS), lengths_mask(seed)
    clicks = (rand(seed + 2, BATCH, 2, SNIPPETS) < 0.08) & valid[:, None]
    segments = parts.representative_segments(scores, clicks, valid)
    terms = []
    for b in range(BATCH):
        length = int(valid[b].sum())
        for m in range(2):
            best = naive_segment(scores[b, m, :length].tolist(), clicks[b, m, :length].tolist())
            assert bool(segments.exists[b, m]) == (best is not None)
            if best is not None:
                assert segments.inside[b, m].nonzero().flatten().tolist() == list(range(*best[1]))
                assert set(segments.outside[b, m].nonzero().flatten().tolist()) == best[2]
                terms.append((1 - best[0]) ** 2)
    found = float(parts.score_loss(scores, segments))
    assert found == pytest.approx(sum(terms) / len(terms) if terms else 0.0)


@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_segments_of_one_class_are_drawn_together(seed: int) -> None:
    features = rand(seed, BATCH, CHANNELS, SNIPPETS) - 0.5
    inside = rand(seed + 1, BATCH, 2, SNIPPETS) < 0.3
    found = (rand(seed + 2, BATCH, 2) < 0.8) & inside.any(2)
    classes = torch.stack([(rand(seed + 3, BATCH) * 2).long(), 2 + (rand(seed + 4, BATCH) * 2).long()], 1)
    loss = parts.feature_loss(features, parts.Segments(inside, ~inside, found), classes)
    rows = []
    for b, m in found.nonzero().tolist():
        mean = features[b, :, inside[b, m]].mean(1)
        rows.append((int(classes[b, m]), mean / mean.norm()))
    terms = []
    for i, (label, unit) in enumerate(rows):
        others = [(c, math.exp(float(unit @ v) / parts.TEMPERATURE)) for j, (c, v) in enumerate(rows) if j != i]
        mine = [math.log(e / sum(value for _, value in others)) for c, e in others if c == label]
        if mine:
            terms.append(-sum(mine) / len(mine))
    assert float(loss) == pytest.approx(sum(terms) / len(terms) if terms else 0.0)


@given(seed=seeds, omega=st.sampled_from([0.3, 0.5, 1.0]))
@settings(max_examples=25, deadline=None)
def test_prototypes_redistribute_as_the_equations_say(seed: int, omega: float) -> None:
    features, learned = rand(seed, BATCH, CHANNELS, SNIPPETS), rand(seed + 1, 5, CHANNELS) - 0.5
    valid = lengths_mask(seed)
    found = parts.redistribute(features, learned, valid, omega)
    for b in range(BATCH):
        length = int(valid[b].sum())
        x, mu = features[b, :, :length].T.numpy(), learned.numpy()
        for _ in range(parts.ITERATIONS):
            cosine = np.array([[f @ m / np.linalg.norm(f) / np.linalg.norm(m) for m in mu] for f in x])
            z = np.exp(parts.SHARPNESS * cosine)
            z /= z.sum(1, keepdims=True)
            means = np.array([sum(z[t, k] * x[t] for t in range(length)) / z[:, k].sum() for k in range(len(mu))])
            mu = omega * means + (1 - omega) * mu
        np.testing.assert_allclose(found[b, :, :length].T.numpy(), omega * z @ mu + (1 - omega) * x, atol=1e-9)
