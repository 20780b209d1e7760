"""The paired bootstrap: weighted videos equal scored copies of them, and intervals equal those of repeated scoring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.config.thresholds import parse_tiou
from tal_search.errors import InputError
from tal_search.metrics import comparison
from tal_search.metrics.average_precision import score
from tal_search.metrics.comparison import compare, draws, resampled_mAP
from tal_search.metrics.matching import match_classes
from tal_search.trial.evaluate import open_benchmark
from tal_search.types import PROTOCOLS, Annotations, Detections, Ints
from tests.support.naive_scorer import Rows, Scored
from tests.support.paths import FIXTURES
from tests.support.small_truths import annotations, detections, rows, scored

THRESHOLDS = (0.5, 0.1, 0.25)


def copies(truth: Annotations, found: Detections, weights: list[int], protocol: str) -> tuple[Annotations, Detections]:
    """A truth and detections in which each video stands as often as it was drawn, under names of its own.

    Copies of a detection are ranked one after another, where the detection is ranked by the protocol; scores are made
    of that rank, so that there are no ties. Detections in videos that the truth does not have stay as they are.
    """
    weight = dict(zip(truth.videos, weights, strict=True))
    videos = tuple(f"{name}{copy}" for name in truth.videos for copy in range(weight[name]))

    def copied(names: tuple[str, ...], video: Ints) -> tuple[list[int], list[str]]:
        rows = [(row, names[v], copy) for row, v in enumerate(video) for copy in range(weight.get(names[v], 1))]
        return [row for row, _, _ in rows], [f"{name}{copy}" for _, name, copy in rows]

    (kept, in_truth), (taken, in_found) = copied(truth.videos, truth.video), copied(found.videos, found.video)
    names = tuple(dict.fromkeys([*videos, *in_found]))
    tied = [found.videos[v] if protocol == "thumos14" else "" for v in found.video]
    best_first = sorted(range(len(tied)), key=lambda row: (-found.score[row], tied[row], row))
    rank = {row: position for position, row in enumerate(best_first)}
    many = replace(
        truth,
        videos=videos,
        video=np.array([videos.index(name) for name in in_truth], np.int64),
        label=truth.label[kept],
        segment=truth.segment[kept],
        duration=np.full(len(videos), np.nan),
    )
    detected = replace(
        found,
        videos=names,
        video=np.array([names.index(name) for name in in_found], np.int64),
        label=found.label[taken],
        segment=found.segment[taken],
        score=np.array([-10.0 * rank[row] - int(name[1:]) for row, name in zip(taken, in_found, strict=True)]),
    )
    return many, detected


def naive(truth: Annotations, found: Detections, weights: list[int], protocol: str, unclear: Rows) -> list[float]:
    """mAP of the copies, ambiguous instances copied too; NaN where they have no instance."""
    many, detected = copies(truth, found, weights, protocol)
    if not len(many.label):
        return [np.nan] * len(THRESHOLDS)
    listed = None
    if protocol == "thumos14":
        names = [name for name in detected.videos if name[0] in {row[0] for row in unclear}]
        copied = [(name, row) for name in names for row in unclear if row[0] == name[0]]
        listed = Annotations(
            videos=tuple(names),
            classes=("Ambiguous",),
            video=np.array([names.index(name) for name, _ in copied], np.int64),
            label=np.zeros(len(copied), np.int64),
            segment=np.array([row[2:] for _, row in copied], np.float64).reshape(-1, 2),
            duration=np.full(len(names), np.nan),
        )
    return list(score(many, detected, THRESHOLDS, protocol=protocol, subset="s", ambiguous=listed).mAP)


@settings(max_examples=100)
@given(rows(1), scored(), rows(0), st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_weights_equal_scoring_copies_of_the_videos(
    truth: Rows, found: Scored, unclear: Rows, weights: list[int]
) -> None:
    """Whole scores: ties; a video the truth does not have; videos that were not drawn; ambiguous instances."""
    known = annotations([row for row in truth if row[0] != "w"] or [("u", "a", 0.0, 1.0)], videos="uvx")
    detected, listed = detections(found, videos="wvu"), annotations(unclear)
    columns = np.array([[*weights, 1]], np.int64).T
    for protocol in PROTOCOLS:
        rules: dict[str, Any] = {"protocol": protocol, "ambiguous": listed if protocol == "thumos14" else None}
        matches = match_classes(known, detected, THRESHOLDS, **rules)
        ours = resampled_mAP(known, matches, columns, protocol)
        expected = naive(known, detected, weights, protocol, unclear)
        assert ours[0] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_interval_is_that_of_scoring_every_draw_anew(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "RESAMPLES", 40)
    monkeypatch.setattr(comparison, "NUMBERS_AT_ONCE", 50)  # a few draws at a time
    rng = np.random.default_rng(5)
    names = [chr(ord("e") + index) for index in range(12)]
    truth = annotations([(v, c, 20.0 * i, 20.0 * i + 9) for v in names for i, c in enumerate("aab")], "".join(names))

    def shaken(size: float) -> Detections:
        shift = rng.normal(0, size, len(truth.label))
        rows = [
            (truth.videos[v], truth.classes[c], start + d, end + d, float(rng.random()))
            for v, c, (start, end), d in zip(truth.video, truth.label, truth.segment, shift, strict=True)
        ]
        return detections(rows, "".join(names))

    ours, theirs = shaken(1.5), shaken(4.0)
    found = compare(truth, ours, theirs, THRESHOLDS, protocol=protocol)
    differences = []
    for column in draws(len(names)).T:
        both = [naive(truth, some, column[:-1].tolist(), protocol, []) for some in (ours, theirs)]
        difference = np.subtract(*both)
        differences.append([*difference, difference.mean()])
    assert found.low == pytest.approx(np.quantile(differences, 0.025, axis=0), abs=1e-12)
    assert found.high == pytest.approx(np.quantile(differences, 0.975, axis=0), abs=1e-12)
    assert found.mAP[:-1] == score(truth, ours, THRESHOLDS, protocol=protocol, subset="s").mAP
    assert found.names == ("0.5", "0.1", "0.25", "average")
    assert found.low[-1] > 0  # better by far
    back = compare(truth, theirs, ours, THRESHOLDS, protocol=protocol)
    assert back.low == pytest.approx([-value for value in found.high])
    assert back.difference == pytest.approx([-value for value in found.difference])


def test_every_draw_has_as_many_videos_and_the_same_seed() -> None:
    weights = draws(7)
    assert weights.shape == (8, comparison.RESAMPLES)
    assert (weights[:-1].sum(axis=0) == 7).all()
    assert (weights[-1] == 1).all()
    assert np.array_equal(weights, draws(7))
    assert weights[:-1].mean(axis=1) == pytest.approx(np.ones(7), abs=0.15)


def test_a_draw_without_instances_is_left_out() -> None:
    """Of two videos one has the only instance; half of the draws with both or with it alone are left."""
    truth = annotations([("u", "a", 0, 10)], "uv")
    right, wrong = detections([("u", "a", 0, 10, 1.0)]), detections([("u", "a", 50, 60, 1.0)])
    found = compare(truth, right, wrong, (0.5,), protocol="activitynet")
    assert (found.difference, found.low, found.high) == ((1.0, 1.0),) * 3


def test_equal_files_differ_by_nothing_and_half_of_one_by_something() -> None:
    files = [FIXTURES / "stpn/detections.json"] * 2
    benchmark, (ours, theirs) = open_benchmark(FIXTURES / "stpn/ground_truth.json", "test", files)
    tiou = parse_tiou("0.1:0.9:0.1")
    same = compare(benchmark.truth, ours, theirs, tiou, **benchmark.rules)
    assert same.difference == same.low == same.high == (0.0,) * 10
    half = replace(theirs, **{name: getattr(theirs, name)[::2] for name in ("video", "label", "segment", "score")})
    fewer = compare(benchmark.truth, ours, half, tiou, **benchmark.rules)
    assert all(low < value < high for low, value, high in zip(fewer.low, fewer.difference, fewer.high, strict=True))
    assert fewer.low[-1] > 0
    content = fewer.to_json()
    assert content["rows"][4]["tiou"] == "0.5"
    assert content["rows"][-1]["difference"] == fewer.difference[-1]


def test_nothing_to_compare_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no ground-truth instance"):
        compare(annotations([]), detections([]), detections([]), (0.5,), protocol="activitynet")
