"""THUMOS14's protocol (instances choose detections, strict overlaps, no interpolation), and its video sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tal_search.data.ambiguous import read_ambiguous
from tal_search.data.annotations import read_annotations
from tal_search.errors import InputError
from tal_search.metrics.average_precision import parse_tiou, score
from tal_search.metrics.matching import PROTOCOLS
from tal_search.metrics.video_sets import LEFT_OUT, SPECIAL, describe_videos, left_out, without_duplicates
from tal_search.trial.evaluate import open_benchmark
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


@settings(max_examples=300, deadline=None)
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


@settings(max_examples=200, deadline=None)
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


def thumos14(*special: str) -> tuple[str, ...]:
    """The names of a THUMOS14 test set: 210 that are in every set, and some of the others."""
    return (*(f"video_test_{number:07d}" for number in range(2000, 2210)), *special)


@pytest.mark.parametrize(
    ("special", "says"),
    [
        (SPECIAL, "213 videos (THUMOS14 test)"),
        (("video_test_0000270", "video_test_0001496"), "212 videos (THUMOS14 test without 1292)"),
        (("video_test_0001496",), "211 videos (THUMOS14 test without 270, 1292)"),
        (("video_test_0001292",), "211 videos (THUMOS14 test without 270, 1496)"),
        ((), "210 videos (THUMOS14 test without 270, 1292, 1496)"),
    ],
)
def test_a_video_set_is_named_by_what_is_in_it(special: tuple[str, ...], says: str) -> None:
    assert describe_videos(thumos14(*special)) == says
    assert describe_videos(thumos14(*special)[1:]) == f"{209 + len(special)} videos"
    assert describe_videos(("v", *thumos14(*special)[1:])) == f"{210 + len(special)} videos"


def test_a_video_set_leaves_out_what_it_does_not_have_and_wants_all_it_has() -> None:
    for wanted, names in LEFT_OUT.items():
        assert left_out(thumos14(*SPECIAL), wanted) == names
        assert len(SPECIAL) - len(names) == wanted - 210
    assert left_out(thumos14(), 210) == SPECIAL  # not there anyway
    for videos, wanted, says in (
        (thumos14(), 211, "videos=211 needs video_test_0001496, which the ground truth does not have"),
        (thumos14(*SPECIAL), 209, "videos=209 is no THUMOS14 test set; give one of 213, 212, 211, 210"),
        (("v", *SPECIAL), 213, "the ground truth has 1 videos; leave videos= out"),
    ):
        with pytest.raises(InputError, match=says):
            left_out(videos, wanted)


def test_the_real_ground_truth_is_cut_to_the_set_that_is_asked_for(tmp_path: Path) -> None:
    """212 videos in HR-Pro's file, 210 in STPN's: cut to 210 both have as many instances of every class."""
    whole, _ = open_benchmark(HR_PRO, "Test", videos=212)
    assert (len(whole.truth.videos), len(whole.truth.label)) == (212, 3358)
    found = tmp_path / "found.json"
    results = {name: [{"label": "Diving", "score": 1, "segment": [0, 1]}] for name in whole.truth.videos}
    found.write_text(json.dumps({"results": results}))
    cut, (kept,) = open_benchmark(HR_PRO, "Test", [found], videos=210)
    assert describe_videos(cut.truth.videos) == "210 videos (THUMOS14 test without 270, 1292, 1496)"
    assert len(kept.label) == 210  # those in the two videos left out are no unknown videos
    other = read_annotations(FIXTURES / "stpn/ground_truth.json", "test")
    assert set(cut.truth.videos) == set(other.videos)
    assert cut.truth.classes == other.classes
    assert np.array_equal(np.bincount(cut.truth.label), np.bincount(other.label))
    with pytest.raises(InputError, match="videos=213 needs video_test_0001292"):
        open_benchmark(HR_PRO, "Test", videos=213)


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


def test_every_bad_line_of_an_ambiguous_list_is_named(tmp_path: Path) -> None:
    path = tmp_path / "unclear.txt"
    path.write_text("v 1 2\n\nv 3\nv 5 4\nv x 4\nv 1 nan\nw  0.5 1.5\n")
    with pytest.raises(InputError) as caught:
        read_ambiguous(path)
    assert [problem.split("'")[1] for problem in caught.value.problems] == ["v 3", "v 5 4", "v x 4", "v 1 nan"]
    assert caught.value.problems[0] == f"{path}: line 3 is 'v 3'; give VIDEO START END, in seconds, END after START"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        read_ambiguous(path)
    with pytest.raises(InputError, match="No such file"):
        read_ambiguous(tmp_path / "none.txt")
