"""Representative segments: losses and prototypes beside loops written from the equations; rounds, switches, fits."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tal_search.data.find import find, load
from tal_search.data.simulation.videos import Simulation
from tal_search.localization.inference import Inference
from tal_search.methods.base import Batch
from tal_search.methods.representative import (
    PRESETS,
    Hyperparameters,
    Representative,
)
from tal_search.metrics.average_precision import score
from tal_search.nn import representative as parts
from tal_search.trial.loop import Fit
from tal_search.types import ACTION_CLICKS, VIDEO_LABELS, Dataset

pytestmark = pytest.mark.usefixtures("one_thread")

BATCH, CHANNELS, CLASSES, SNIPPETS = 3, 6, 4, 18
TERMS = {"video", "point", "score", "feature", "instance", "total"}
seeds = st.integers(0, 10_000)


def rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def lengths_mask(seed: int) -> Tensor:
    """bool [B, P]: videos of different lengths, the first the longest."""
    lengths = torch.cat([torch.tensor([SNIPPETS]), 5 + (rand(seed + 1, BATCH - 1) * (SNIPPETS - 5)).long()])
    return torch.arange(SNIPPETS) < lengths[:, None]


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
    assert float(parts.video_loss(scores, labels)) == pytest.approx(expected / BATCH)
    dense, target = rand(seed, BATCH, CLASSES + 1, SNIPPETS), rand(seed + 2, BATCH, CLASSES + 1, SNIPPETS) < 0.3
    chosen = rand(seed + 3, BATCH, SNIPPETS) < 0.2
    terms = []
    for b, t in chosen.nonzero().tolist():
        right = [float(p if y else 1 - p) for p, y in zip(dense[b, :, t], target[b, :, t], strict=True)]
        terms.append(sum(-((1 - q) ** 2) * math.log(q) for q in right))
    found = float(parts.snippet_loss(dense, target, chosen))
    assert found == pytest.approx(sum(terms) / len(terms) if terms else 0.0)


@given(seed=seeds, clicks=st.sampled_from([0.0, 0.1, 0.3]))
@settings(max_examples=60, deadline=None)
def test_background_is_mined_between_clicks_and_where_it_is_certain(seed: int, clicks: float) -> None:
    scores, valid = rand(seed, BATCH, SNIPPETS), lengths_mask(seed)
    clicked = (rand(seed + 2, BATCH, CLASSES, SNIPPETS) < clicks / CLASSES) & valid[:, None]
    labels = clicked | ((rand(seed + 3, BATCH, CLASSES, SNIPPETS) < 0.1) & valid[:, None])
    found = parts.mined_background(scores, clicked, labels, valid)
    for b in range(BATCH):
        places = clicked[b].any(0).nonzero().flatten().tolist()
        expected = set()
        for left, right in itertools.pairwise(places):
            if right - left > 1:
                expected.add(max(range(left + 1, right), key=lambda t, b=b: float(scores[b, t])))
        for t in range(int(valid[b].sum())):
            if places and t not in places and not labels[b, :, t].any() and scores[b, t] >= parts.CERTAIN:
                expected.add(t)
        assert set(found[b].nonzero().flatten().tolist()) == expected


def naive_segment(scores: list[float], clicks: list[bool]) -> tuple[float, tuple[int, int], set[int]] | None:
    """Contrast, borders and outside of the best run of one class of one video (without padding)."""
    best = None
    for level in range(1, parts.LEVELS):
        above = [value >= level / parts.LEVELS * max(scores) for value in scores]
        for first in range(len(scores)):
            for end in range(first + 1, len(scores) + 1):
                whole = all(above[first:end]) and not (first and above[first - 1])
                if not whole or (end < len(scores) and above[end]) or not any(clicks[first:end]):
                    continue
                margin = max(1, int(parts.OUTER * (end - first)))
                outside = [*range(max(0, first - margin), first), *range(end, min(len(scores), end + margin))]
                outer = sum(scores[t] for t in outside) / max(1, len(outside))
                contrast = sum(scores[first:end]) / (end - first) - outer
                if best is None or contrast > best[0] + 1e-12:
                    best = contrast, (first, end), set(outside)
    return best


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
            assert bool(segments.found[b, m]) == (best is not None)
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


def make_batch(seed: int = 0, clicks: float = 0.1) -> Batch:
    labels = (rand(seed, BATCH, CLASSES) < 0.4).float()
    labels[:, 0] = 1
    clicked = (rand(seed + 1, BATCH, CLASSES, SNIPPETS) < clicks) & (labels[:, :, None] > 0)
    return Batch(
        rows=torch.arange(BATCH),
        features=rand(seed + 2, BATCH, CHANNELS, SNIPPETS).float() - 0.5,
        labels=labels,
        background_clicks=torch.zeros(BATCH, SNIPPETS, dtype=torch.bool),
        action_clicks=clicked,
        segments=torch.zeros(BATCH, 0, 2),
        segment_labels=torch.zeros(BATCH, 0, dtype=torch.int64),
    )


def make_method(**hyperparameters: object) -> Representative:
    torch.manual_seed(0)
    settings = {"dropout": 0.0, "tau": 6.0, "epochs": 6, **hyperparameters}
    return Representative(Hyperparameters(**settings), CHANNELS, CLASSES)  # type: ignore[arg-type]


def begin(method: Representative, epoch: int, batch: Batch) -> None:
    method.network.eval()
    with torch.no_grad():
        assert not method.prepare(epoch, lambda: iter([batch]))
    method.network.train()


@pytest.mark.parametrize("epoch", [1, 3])
def test_gradients_reach_every_parameter_in_every_round(epoch: int) -> None:
    method, batch = make_method(), make_batch()
    begin(method, epoch, batch)
    losses = method.losses(batch, "all")
    assert set(losses) == TERMS
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
    losses["total"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in method.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("epoch", [1, 3])
def test_without_clicks_only_the_video_loss_is_left(epoch: int) -> None:
    method, batch = make_method(), make_batch(clicks=0.0)
    begin(method, epoch, batch)
    losses = method.losses(batch, "all")
    assert {name for name, loss in losses.items() if loss != 0} == {"video", "total"}
    empty = dataclasses.replace(batch, labels=torch.zeros_like(batch.labels))
    assert all(loss.isfinite() for loss in method.losses(empty, "all").values())


def test_losses_do_not_depend_on_how_many_classes_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU every class is, on a CPU as many as a video of the batch is labelled with."""
    method, batch = make_method(), make_batch()
    few = method.losses(batch, "all")
    monkeypatch.setattr(parts, "labelled", lambda labels: labels.topk(labels.shape[1], dim=1).indices)
    for name, loss in method.losses(batch, "all").items():
        torch.testing.assert_close(loss, few[name], rtol=1e-5, atol=0, msg=name)


def test_rounds_share_the_epochs_and_begin_with_proposals() -> None:
    method, batch = make_method(epochs=7, rounds=3, proposal_threshold=0.95), make_batch()
    rounds, kept = [], []
    for epoch in range(1, 8):
        begin(method, epoch, batch)
        rounds.append(int(method.network.round))  # type: ignore[arg-type]
        kept.append(method.memory)
    assert rounds == [1, 1, 1, 2, 2, 3, 3]
    assert kept[0] == kept[2] == {}
    assert kept[3] is kept[4]
    assert kept[5] is kept[6]
    assert kept[5] is not kept[4]
    weights, instances = kept[3]["weights"], kept[3]["instances"]
    assert weights.shape == (BATCH, SNIPPETS)
    assert 1 == weights.min() < weights.max() <= 6.0
    assert not instances[batch.labels == 0].any()


def test_each_module_is_switched_off_by_its_weight() -> None:
    batch = make_batch()
    plain = make_method(tau=0.0)
    begin(plain, 3, batch)
    assert (plain.memory["weights"] == 1).all()
    assert "prototypes" not in dict(make_method(omega=0.0).network.named_parameters())
    losses = make_method(lambda_representative=0.0).losses(batch, "all")
    torch.testing.assert_close(losses["total"], losses["video"] + losses["point"] + losses["instance"])
    assert Hyperparameters().supervision == (VIDEO_LABELS, ACTION_CLICKS)
    none = Hyperparameters(lambda_point=0.0, lambda_representative=0.0, lambda_instance=0.0)
    assert none.supervision == (VIDEO_LABELS,)


@pytest.fixture(scope="module")
def data() -> Dataset:
    simulation = Simulation(train_videos=80, test_videos=30, channels=24)
    return load(find("thumos14", "simulated", None, None, None, 60, simulation), "A1", (VIDEO_LABELS, ACTION_CLICKS))


def make_fit(data: Dataset, **hyperparameters: object) -> Fit:
    torch.manual_seed(0)
    preset = PRESETS["thumos14"]["simulated"].hyperparameters
    hp = Hyperparameters(**{**preset, "batch_size": 8, **hyperparameters})  # type: ignore[arg-type]
    method = Representative(hp, data.train.features.shape[1], len(data.classes))
    return Fit(method, data.train, np.arange(len(data.train.videos)), 0, "float32", torch.device("cpu"))


def test_a_fit_learns_and_its_detections_keep_to_their_videos(data: Dataset) -> None:
    inference = Inference(**PRESETS["thumos14"]["simulated"].inference)

    def at_half(fit: Fit) -> float:
        found = fit.method.detect(data.test, data.classes, inference)
        assert (found.segment[:, 0] >= 0).all()
        assert (found.segment[:, 1] <= data.test.duration[found.video] + 1e-9).all()
        return score(data.test_truth, found, (0.5,), protocol="activitynet", subset="test").mAP[0]

    fit = make_fit(data, epochs=18, learning_rate=1e-2)
    untrained = at_half(fit)
    first = fit.epoch(1)
    last = [fit.epoch(number) for number in range(2, 19)][-1]
    assert last["total"] < 0.6 * first["total"]
    assert int(fit.method.network.round) == 3  # type: ignore[arg-type]
    assert at_half(fit) > untrained + 0.08


def test_a_continued_fit_equals_an_uninterrupted_one(data: Dataset) -> None:
    whole = make_fit(data, epochs=6)
    losses = [whole.epoch(number) for number in range(1, 7)]
    for stop in (3, 4):  # the last epoch before a round's proposals are made is in the middle of them, or not
        first, second = make_fit(data, epochs=6), make_fit(data, epochs=6)
        for number in range(1, stop + 1):
            first.epoch(number)
        second.load_state(first.state())  # type: ignore[arg-type]
        assert [second.epoch(number) for number in range(stop + 1, 7)] == losses[stop:]
        assert all(torch.equal(a, b) for a, b in zip(whole.weights().values(), second.weights().values(), strict=True))


def test_weights_of_the_first_round_read_videos_as_they_were_trained_to(data: Dataset) -> None:
    """Epochs are chosen by held-out videos: then the weights of an earlier round meet the memory of the last."""
    fit = make_fit(data, epochs=3)
    fit.epoch(1)
    early = fit.weights()
    expected = fit.method.activations(data.test.subset(np.arange(4)))  # type: ignore[attr-defined]
    fit.epoch(2)
    fit.method.network.load_state_dict(early)
    found = fit.method.activations(data.test.subset(np.arange(4)))  # type: ignore[attr-defined]
    assert np.array_equal(found.cas, expected.cas)


def test_other_videos_and_their_order_do_not_change_activations(data: Dataset) -> None:
    fit = make_fit(data, epochs=3)
    for number in range(1, 4):
        fit.epoch(number)
    videos = data.test.subset(np.arange(20))
    together = fit.method.activations(videos)  # type: ignore[attr-defined]
    assert together.cas.shape == (20, 21, 120)
    for row in (0, 7, 19):
        alone = fit.method.activations(videos.subset(np.array([row])))  # type: ignore[attr-defined]
        np.testing.assert_allclose(alone.cas[0], together.cas[row], atol=1e-4)
        np.testing.assert_allclose(alone.scores[0], together.scores[row], atol=1e-4)
    backwards = fit.method.activations(videos.subset(np.arange(20)[::-1].copy()))  # type: ignore[attr-defined]
    np.testing.assert_allclose(backwards.cas[::-1], together.cas, atol=1e-4)
