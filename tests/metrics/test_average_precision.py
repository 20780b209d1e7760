"""The evaluator against published numbers, against its definition, and against properties of every mAP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.config.thresholds import parse_tiou
from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truths import lasting
from tal_search.errors import InputError
from tal_search.metrics.average_precision import interpolated_average_precision, score
from tal_search.types import PROTOCOLS
from tests.support import reference_scoring
from tests.support.definitions import THUMOS14
from tests.support.golden_files import KEPT
from tests.support.naive_scorer import Rows, Scored, naive, naive_thumos14
from tests.support.paths import FIXTURES
from tests.support.scored_files import evaluate_file
from tests.support.small_truths import annotations, as_detections, detections, rows, scored

NINE = parse_tiou("0.1:0.9:0.1")
# The published detection file on its 210 videos, percent at tIoU .1 to .9, and their average.
STPN = (52.12, 44.20, 34.70, 26.06, 17.70, 10.09, 4.99, 1.34, 0.10)
STPN_AVERAGE = 21.25


def test_published_detections_have_their_published_map() -> None:
    folder = FIXTURES / "stpn"
    scores = evaluate_file(folder / "detections.json", folder / "ground_truth.json", "test", NINE)
    assert (scores.videos, scores.instances, scores.detections) == (210, 3311, 9151)
    assert np.abs(100 * np.array(scores.mAP) - STPN).max() < 0.05
    assert abs(100 * scores.average_mAP - STPN_AVERAGE) < 0.05


@pytest.mark.parametrize(
    ("file", "subset", "instances"),
    [
        ("stpn/ground_truth.json", "test", 3311),
        ("thumos14/gt_hrpro.json", "Test", 3358),
        ("thumos14/gt_hrpro.json", "Validation", 3007),
    ],
)
def test_ground_truth_as_predictions_is_exactly_one(file: str, subset: str, instances: int) -> None:
    truth = read_annotations(FIXTURES / file, subset)
    scores = score(truth, as_detections(truth), (*NINE, 1.0), subset=subset)
    assert scores.instances == scores.detections == instances
    assert scores.mAP == (1.0,) * 10
    assert scores.average_mAP == 1.0
    strict = score(truth, as_detections(truth), (*NINE, 1.0), protocol="thumos14", subset=subset)
    assert strict.mAP == (1.0,) * 9 + (0.0,)  # no overlap exceeds 1


def test_instances_of_no_length_are_missed_in_the_released_activitynet_truth(shared: Path) -> None:
    """As in the official evaluation they are positives: of a class with G instances, one of them so, AP is 1 - 1/G."""
    truth = read_annotations(shared / "data/activitynet/activity_net.v1-2.min.json", "validation")
    seen = lasting(truth)
    found = np.bincount(seen.label, minlength=100) / np.bincount(truth.label, minlength=100)
    scores = score(truth, as_detections(seen), (0.5, 0.95), subset="validation")
    assert [scores.per_class[name] for name in truth.classes] == [(share, share) for share in found]
    assert (len(truth.label) - len(seen.label), scores.instances, (found < 1).sum()) == (3, 3582, 3)

    generator = np.random.default_rng(0)
    twice = {name: np.tile(getattr(seen, name), 2) for name in ("video", "label")}
    moved = np.sort(np.tile(seen.segment, (2, 1)) + generator.normal(0, 8, (2 * len(seen.label), 2)), axis=1)
    jittered = replace(as_detections(seen), **twice, segment=moved, score=generator.random(len(moved)))
    rules = {"tiou": (0.5, 0.75, 0.95), "subset": "validation"}
    assert score(truth, jittered, **rules) == reference_scoring.score(truth, jittered, **rules)


def test_golden_detections_of_twelve_videos(tmp_path: Path) -> None:
    """On their own 12 videos they score as the naive scorers say; on all 210 the other videos' instances are missed."""
    file, whole = KEPT / "expected_detections_12_videos.json", FIXTURES / "thumos14/gt_hrpro.json"
    content = json.loads(whole.read_text())
    names = json.loads(file.read_text())["results"]
    content["database"] = {name: content["database"][name] for name in names}
    few = tmp_path / "few.json"
    few.write_text(json.dumps({**content, "activity_list": THUMOS14}))
    truth_rows = [
        (name, item["label"], *item["segment"])
        for name, entry in content["database"].items()
        for item in entry["annotations"]
    ]
    found = [(n, item["label"], *item["segment"], item["score"]) for n, items in names.items() for item in items]
    for protocol in PROTOCOLS:
        scores = evaluate_file(file, few, "Test", NINE, protocol=protocol)
        assert (scores.videos, scores.detections) == (12, 166)
        expected = np.array([list(areas(protocol, truth_rows, found, threshold).values()) for threshold in NINE])
        assert np.allclose([scores.per_class[label] for label in sorted(scores.per_class)], expected.T, atol=1e-12)
        assert scores.mAP[0] > 0.3
        assert evaluate_file(file, whole, "Test", NINE, videos=210, protocol=protocol).mAP[0] < scores.mAP[0] / 3


def areas(protocol: str, truth: Rows, found: Scored, threshold: float) -> dict[str, float]:
    return naive_thumos14(truth, found, threshold, []) if protocol == "thumos14" else naive(truth, found, threshold)


@settings(max_examples=300)
@given(rows(1, shortest=0), scored())
def test_equals_the_naive_scorers(truth: Rows, found: Scored) -> None:
    thresholds = (0.1, 0.3, 0.5, 0.75, 1.0)
    for protocol in PROTOCOLS:
        scores = score(annotations(truth), detections(found), thresholds, protocol=protocol, subset="test")
        for position, threshold in enumerate(thresholds):
            expected = areas(protocol, truth, found, threshold)
            assert {name: scores.per_class[name][position] for name in scores.per_class} == pytest.approx(expected)
            assert scores.mAP[position] == pytest.approx(np.mean(list(expected.values())))


@st.composite
def continuous(draw: st.DrawFn, most: int) -> list[tuple[str, str, float, float, float]]:
    """Rows of any lengths, none included, the same segment often more than once."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, distinct = draw(st.integers(1, most)), draw(st.integers(1, most))
    start, length = rng.uniform(0, 30, distinct), rng.uniform(-3, 12, distinct).clip(0)
    which, score = rng.integers(0, distinct, count), rng.choice([rng.random(count), rng.integers(0, 3, count)])
    names = rng.choice(list("uvwx"), count), rng.choice(list("abcd"), count)
    return list(zip(*names, start[which], start[which] + length[which], score, strict=True))


@settings(max_examples=200)
@given(continuous(40), continuous(300), st.lists(st.floats(0.01, 1), min_size=1, max_size=9, unique=True))
def test_equals_the_plain_code_to_the_last_bit(truth: Scored, found: Scored, thresholds: list[float]) -> None:
    """Videos and classes that the truth does not have among the detections; thresholds in any order."""
    known = [(*row[:4],) for row in truth if row[0] != "x" and row[1] != "d"] or [("u", "a", 0.0, 1.0)]
    pair = annotations(known), detections(found, "xwvu", "dcba")
    for protocol in PROTOCOLS:
        ours = score(*pair, tuple(thresholds), protocol=protocol, subset="s")
        assert ours == reference_scoring.score(*pair, tuple(thresholds), protocol=protocol, subset="s")


@settings(max_examples=100)
@given(rows(1), scored(distinct=True), st.randoms(use_true_random=False))
def test_order_of_detections_with_distinct_scores_does_not_matter(truth: Rows, found: Scored, random: object) -> None:
    shuffled = found.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (score(annotations(truth), detections(d), NINE, subset="s") for d in (found, shuffled))
    assert first == second


@settings(max_examples=100)
@given(rows(1), scored(), st.integers(1, 50), st.integers(-100, 100))
def test_increasing_change_of_scores_does_not_matter(truth: Rows, found: Scored, slope: int, shift: int) -> None:
    before = detections(found)
    after = replace(before, score=slope * before.score**3 + before.score + shift)  # exact on small integers
    assert score(annotations(truth), before, NINE, subset="s") == score(annotations(truth), after, NINE, subset="s")


@settings(max_examples=200)
@given(rows(1), scored(), st.data())
def test_a_duplicate_never_helps(truth: Rows, found: Scored, data: st.DataObject) -> None:
    """A copy with a score no higher. Instances of a class kept apart: at tIoU above .5 a segment reaches only one."""
    apart: Rows = []
    for row in truth:
        if all(row[:2] != other[:2] or row[2] >= other[3] or row[3] <= other[2] for other in apart):
            apart.append(row)
    if not found:  # nothing to copy
        return
    copied = data.draw(st.sampled_from(found))
    copy = (*copied[:4], copied[4] - data.draw(st.integers(0, 5)))
    thresholds = (0.51, 0.6, 0.75, 0.9)
    before = score(annotations(apart), detections(found), thresholds, subset="s")
    after = score(annotations(apart), detections([*found, copy]), thresholds, subset="s")
    for label, values in after.per_class.items():
        assert np.all(np.array(values) <= np.array(before.per_class[label]) + 1e-12)


def test_a_duplicate_before_a_second_instance_costs_precision() -> None:
    truth = annotations([("u", "a", 0, 10), ("u", "a", 20, 30)])
    found = [("u", "a", 0, 10, 0.9), ("u", "a", 20, 30, 0.5)]
    assert score(truth, detections(found), (0.5,), subset="s").mAP == (1.0,)
    doubled = detections([*found, ("u", "a", 0, 10, 0.8)])
    assert score(truth, doubled, (0.5,), subset="s").mAP == (pytest.approx((1 + 2 / 3) / 2),)


def test_equal_scores_keep_the_order_of_the_input() -> None:
    truth = annotations([("u", "a", 0, 10)])
    right, wrong = ("u", "a", 0.0, 10.0, 1.0), ("u", "a", 50.0, 60.0, 1.0)
    assert score(truth, detections([right, wrong]), (0.5,), subset="s").mAP == (1.0,)
    assert score(truth, detections([wrong, right]), (0.5,), subset="s").mAP == (0.5,)


def test_of_equal_overlaps_the_later_instance_is_taken() -> None:
    truth = annotations([("u", "a", 0, 10), ("u", "a", 20, 30)])
    long, first, second = ("u", "a", 0, 30, 0.9), ("u", "a", 0, 10, 0.8), ("u", "a", 20, 30, 0.8)
    assert score(truth, detections([long, first]), (0.3,), subset="s").mAP == (1.0,)
    assert score(truth, detections([long, second]), (0.3,), subset="s").mAP == (0.5,)


def test_a_taken_best_instance_leaves_the_next_best() -> None:
    truth = annotations([("u", "a", 0, 10), ("u", "a", 4, 12)])
    found = detections([("u", "a", 0, 10, 0.9), ("u", "a", 0, 10, 0.8)])
    scores = score(truth, found, (0.5, 0.6), subset="s")  # the overlap with the second instance is exactly 0.5
    assert scores.mAP == (1.0, 0.5)


def test_unknown_video_is_a_false_positive_and_unknown_class_only_counted() -> None:
    truth = annotations([("u", "a", 0, 10)], videos="u", classes="ab")
    stray = detections([("w", "a", 0, 10, 2.0), ("u", "a", 0, 10, 1.0)])
    assert score(truth, stray, (0.5,), subset="s").mAP == (0.5,)
    other = score(truth, detections([("u", "c", 0, 10, 2.0), ("u", "a", 0, 10, 1.0)]), (0.5,), subset="s")
    assert (other.mAP, other.detections, list(other.per_class)) == ((1.0,), 2, ["a"])


def test_names_not_positions_match_videos_and_classes() -> None:
    truth = annotations([("u", "a", 0, 10), ("v", "b", 3, 9)])
    found = detections([("u", "a", 0, 10, 1.0), ("v", "b", 3, 9, 1.0)], videos="wvu", classes="cba")
    assert score(truth, found, (0.9,), subset="s").mAP == (1.0,)


def test_no_detections_score_zero_and_no_instances_are_refused() -> None:
    truth = annotations([("u", "a", 0, 10)])
    assert score(truth, detections([]), NINE, subset="s").mAP == (0.0,) * 9
    with pytest.raises(InputError, match="no ground-truth instance"):
        score(annotations([]), detections([]), NINE, subset="s")


def test_other_protocols_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError) as caught:
        score(annotations([("u", "a", 0, 1)]), detections([]), NINE, protocol="thumos", subset="s")
    assert caught.value.problems == ("protocol=thumos is unknown; available: activitynet, thumos14",)


def test_interpolated_average_precision_by_hand() -> None:
    hits = np.array([[True, False, True, False], [False, False, False, True], [False] * 4])
    assert interpolated_average_precision(hits, 4) == pytest.approx([(1 + 2 / 3) / 4, 0.25 / 4, 0])
