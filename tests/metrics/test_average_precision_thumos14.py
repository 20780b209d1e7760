"""THUMOS14's protocol: instances choose detections, strict overlaps, no interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tal_search.config.thresholds import parse_tiou
from tal_search.data.truth.ambiguous import read_ambiguous
from tal_search.errors import InputError
from tal_search.metrics.average_precision import score
from tal_search.metrics.video_sets import without_duplicates
from tal_search.trial.evaluate import open_benchmark
from tal_search.types import PROTOCOLS
from tests.support import reference_scoring
from tests.support.naive_scorer import Rows, Scored, naive_thumos14
from tests.support.paths import FIXTURES
from tests.support.scored_files import evaluate_file
from tests.support.small_truths import annotations, as_detections, detections, rows, scored

NINE = parse_tiou("0.1:0.9:0.1")
# Percent at tIoU .1 to .9, of STPN's published detections on 210 videos by the toolkit, with the ambiguous list.
STPN = (47.19, 40.82, 32.94, 25.47, 17.51, 9.97, 4.90, 1.31, 0.09)
HR_PRO = FIXTURES / "thumos14/gt_hrpro.json"
AMBIGUOUS_LIST = FIXTURES / "thumos14/ambiguous_test.txt"


def test_published_detections_have_the_toolkits_map() -> None:
    folder = FIXTURES / "stpn"
    scores = evaluate_file(
        folder / "detections.json", folder / "ground_truth.json", "test", NINE, protocol="thumos14",
        ambiguous=AMBIGUOUS_LIST,
    )  # fmt: skip
    assert tuple(round(100 * value, 2) for value in scores.mAP) == STPN
    assert (scores.instances, scores.ambiguous, scores.detections) == (3311, 87, 9151)


@settings(max_examples=300)
@given(rows(1, shortest=0), scored(), rows(0))
def test_equals_the_toolkit_written_down(truth: Rows, found: Scored, unclear: Rows) -> None:
    """Whole seconds and scores: overlaps that equal a threshold or one another, and ties in score across videos."""
    thresholds = (0.1, 0.3, 0.5, 0.75)
    rules: dict[str, Any] = {"protocol": "thumos14", "subset": "s", "ambiguous": annotations(unclear)}
    for videos in ("uvw", "wvu"):
        scores = score(annotations(truth, videos), detections(found, videos), thresholds, **rules)
        for position, threshold in enumerate(thresholds):
            expected = naive_thumos14(truth, found, threshold, unclear)
            ours = {name: values[position] for name, values in scores.per_class.items()}
            assert ours == pytest.approx(expected, abs=1e-12)


@settings(max_examples=200)
@given(rows(1), scored(), rows(0))
def test_ignoring_equals_the_plain_code_to_the_last_bit(truth: Rows, found: Scored, unclear: Rows) -> None:
    """Whole seconds: overlaps that equal a threshold, segments that only meet, and ambiguous ones of other videos."""
    pair = annotations(truth), detections(found)
    thumos: dict[str, Any] = {"protocol": "thumos14", "subset": "s", "ambiguous": annotations(unclear, videos="xwvu")}
    assert score(*pair, (0.1, 0.25, 0.5), **thumos) == reference_scoring.score(*pair, (0.1, 0.25, 0.5), **thumos)


def test_instances_choose_in_their_order_whatever_the_scores_are() -> None:
    """The first instance takes the detection that overlaps it most, and leaves none that reaches the second.

    Where detections choose, the one of the higher score takes the first instance and the other the second.
    """
    truth = annotations([("u", "a", 0, 10), ("u", "a", 2, 12)])
    early, between = ("u", "a", 0.0, 7.0, 0.9), ("u", "a", 1.0, 11.0, 0.8)
    assert score(truth, detections([early, between]), (0.5,), subset="s").mAP == (1.0,)
    assert score(truth, detections([early, between]), (0.5,), protocol="thumos14", subset="s").mAP == (0.25,)


def test_of_equal_overlaps_the_detection_of_the_higher_score_is_taken() -> None:
    truth = annotations([("u", "a", 0, 10)])
    early, late, false = ("u", "a", 0, 8, 0.5), ("u", "a", 2, 10, 0.9), ("u", "a", 50, 60, 0.7)
    for found in ([early, false, late], [late, false, early]):
        assert score(truth, detections(found), (0.5,), protocol="thumos14", subset="s").mAP == (1.0,)


def test_ties_in_score_are_in_order_of_the_videos_names_then_of_the_input() -> None:
    right, wrong, elsewhere = ("u", "a", 0, 10, 1.0), ("u", "a", 50, 60, 1.0), ("t", "a", 0, 10, 1.0)
    for found, area in (
        ([right, wrong], 1.0), ([wrong, right], 0.5), ([right, elsewhere], 0.5), ([elsewhere, right], 0.5),
    ):  # fmt: skip
        rows = annotations([("u", "a", 0, 10)], videos="ut")
        assert score(rows, detections(found, videos="ut"), (0.5,), protocol="thumos14", subset="s").mAP == (area,)


def test_without_interpolation_precision_counts_at_true_positives_alone() -> None:
    """The wrong detection between two right ones costs what the envelope forgives; VOC would count 1, .75 and .75."""
    truth = annotations([("u", "a", 0, 10), ("u", "a", 20, 30), ("u", "a", 40, 50)])
    found = [("u", "a", 0, 10, 0.9), ("u", "a", 90, 99, 0.8), ("u", "a", 20, 30, 0.7), ("u", "a", 40, 50, 0.6)]
    assert score(truth, detections(found), (0.5,), protocol="thumos14", subset="s").mAP == (
        pytest.approx((1 + 2 / 3 + 3 / 4) / 3),
    )
    assert score(truth, detections(found), (0.5,), subset="s").mAP == (pytest.approx((1 + 3 / 4 + 3 / 4) / 3),)


def test_thumos14_wants_an_overlap_above_the_threshold() -> None:
    truth, half = annotations([("u", "a", 0, 10)]), detections([("u", "a", 0, 5, 1.0)])
    assert score(truth, half, (0.5,), subset="s").mAP == (1.0,)
    assert score(truth, half, (0.49, 0.5), protocol="thumos14", subset="s").mAP == (1.0, 0.0)


def test_false_positives_that_touch_an_ambiguous_instance_are_ignored() -> None:
    """Any shared time counts, a common end does not, and neither does another video; a true positive stays one."""
    truth = annotations([("u", "a", 0, 10)])
    unclear = annotations([("u", "c", 0, 4), ("u", "c", 20, 30), ("v", "c", 40, 50)])
    right = ("u", "a", 0.0, 10.0, 1.0)

    def mAP(*wrong: tuple[float, float]) -> float:
        found = detections([right, *(("u", "a", *segment, 2.0) for segment in wrong)])
        return score(truth, found, (0.5,), protocol="thumos14", subset="s", ambiguous=unclear).mAP[0]

    assert mAP() == mAP((29.9, 60.0)) == mAP((22.0, 23.0), (15.0, 20.1)) == 1.0
    assert mAP((30.0, 60.0)) == mAP((10.0, 20.0)) == mAP((40.0, 50.0)) == 0.5


def test_ambiguous_instances_need_the_protocol_that_knows_them() -> None:
    rows = annotations([("u", "a", 0, 10)])
    with pytest.raises(InputError, match="protocol=activitynet knows no ambiguous instances; set protocol=thumos14"):
        score(rows, detections([]), (0.5,), subset="s", ambiguous=rows)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_instance_given_twice_wants_two_detections(protocol: str) -> None:
    once, other = ("u", "a", 0, 10), ("u", "b", 0, 10)
    twice, found = annotations([once, other, once]), [(*once, 0.9), (*other, 0.9)]
    rules: dict[str, Any] = {"protocol": protocol, "subset": "s"}
    assert score(twice, detections(found), (0.5,), **rules).per_class == {"a": (0.5,), "b": (1.0,)}
    assert score(twice, detections([*found, (*once, 0.8)]), (0.5,), **rules).mAP == (1.0,)
    dropped = without_duplicates(twice)
    assert score(dropped, detections(found), (0.5,), **rules).mAP == (1.0,)
    assert [*zip(dropped.video, dropped.label, strict=True)] == [(0, 0), (0, 1)]


def test_the_real_ambiguous_list_and_ground_truth_as_predictions() -> None:
    unclear = read_ambiguous(AMBIGUOUS_LIST)
    assert (len(unclear.videos), len(unclear.label)) == (37, 99)
    assert unclear.segment[:2].tolist() == [[0.0, 1.4], [95.7, 97.2]]
    benchmark, _ = open_benchmark(HR_PRO, "Test", videos=210, protocol="thumos14", ambiguous=AMBIGUOUS_LIST)
    scores = score(benchmark.truth, as_detections(benchmark.truth), NINE, subset="Test", **benchmark.rules)
    assert scores.mAP == (1.0,) * 9
    assert scores.ambiguous == 87  # the others lie in videos that are not scored
    rules: dict[str, Any] = {"protocol": "thumos14", "subset": "test"}
    stpn, (found,) = open_benchmark(FIXTURES / "stpn/ground_truth.json", "test", [FIXTURES / "stpn/detections.json"])
    strict, lenient = (score(stpn.truth, found, NINE, **rules, ambiguous=some).mAP for some in (None, unclear))
    assert (np.array(strict) < lenient).all()  # ignoring false positives raises precision
