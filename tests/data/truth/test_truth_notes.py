"""Notes on a ground truth: each kind of instance and of label, with what training and scores do with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truth_notes import dataset_notes, detection_notes, training_notes, truth_notes
from tal_search.metrics.average_precision import score
from tal_search.types import Annotations
from tests.support.make_dataset import edit_json, found, make_dataset, problems_of
from tests.support.paths import FIXTURES
from tests.support.small_truths import annotations, detections

PATH = Path("gt.json")


def timed(rows: list[tuple[str, str, float, float]], seconds: float = 40.0) -> Annotations:
    """Instances in videos u, v and w of the same length."""
    return replace(annotations(rows), duration=np.full(3, seconds))


KINDS = [
    ((5, 5), "1 instance has no length, in 1 video (v); it counts in every score, and no detection can find it"),
    ((41, 41), "1 instance has no length, in 1 video (v); it counts"),
    (
        (40, 44),
        "1 instance lies wholly outside its video, in 1 video (v); training uses only the class, as a video label",
    ),
    (
        (-4, 0),
        "1 instance lies wholly outside its video, in 1 video (v); training uses only the class, as a video label",
    ),
    ((-4, 3), "1 instance lies partly outside its video, before 0 s, in 1 video (v); training clips it to the video"),
    (
        (38, 44),
        "1 instance lies partly outside its video, after its end, in 1 video (v); training clips it to the video",
    ),
    ((1, 2), "1 instance repeats another exactly, in 1 video (v); training and scores count it again"),
]


@pytest.mark.parametrize(("segment", "says"), KINDS)
def test_each_kind_of_instance_is_one_note(segment: tuple[float, float], says: str) -> None:
    rows = [("v", "a", 1.0, 2.0), ("v", "a", *segment)]
    (note,) = truth_notes(PATH, timed(rows))
    assert note.startswith(f"gt.json: {says}")


def test_an_instance_on_both_sides_of_its_video_is_in_both_notes() -> None:
    before, after = truth_notes(PATH, timed([("v", "a", -1, 41)]))
    assert "before 0 s" in before
    assert "after its end" in after


@pytest.mark.parametrize(
    "rows",
    [
        [("v", "a", 0.0, 40.0), ("u", "a", 39.0, 40.005), ("w", "c", -0.005, 1.0)],  # rounded to hundredths
        [("v", "a", 1.0, 2.0), ("v", "b", 1.0, 2.0), ("u", "a", 1.0, 2.0), ("v", "a", 1.0, 2.5)],  # no two are equal
    ],
)
def test_instances_that_need_no_note(rows: list[tuple[str, str, float, float]]) -> None:
    assert truth_notes(PATH, timed(rows)) == []


def test_nothing_is_beyond_a_video_of_unknown_duration() -> None:
    assert truth_notes(PATH, annotations([("v", "a", 100.0, 200.0)])) == []
    (note,) = truth_notes(PATH, annotations([("v", "a", -100.0, -50.0)]))
    assert "1 instance lies wholly outside" in note


def test_instances_are_counted_over_both_subsets_and_a_few_videos_are_named() -> None:
    names = tuple(f"video{number}" for number in range(9))
    truth = replace(
        annotations([]), videos=names, video=np.arange(9).repeat(2), label=np.zeros(18, np.int64),
        segment=np.tile([[50.0, 60.0], [70.0, 80.0]], (9, 1)), duration=np.full(9, 40.0),
    )  # fmt: skip
    (note,) = truth_notes(PATH, truth, timed([("v", "a", 41, 42)]))
    named = "video0, video1, video2, video3, video4 and 5 more"
    assert note.startswith(f"gt.json: 19 instances lie wholly outside their video, in 10 videos ({named}); training")


def test_ambiguous_instances_are_counted() -> None:
    unclear = replace(timed([]), ambiguous=annotations([("v", "a", 3.0, 4.0), ("u", "a", 5.0, 5.0)]))
    (note,) = truth_notes(PATH, unclear)
    assert note.startswith("gt.json: 2 instances are labelled Ambiguous, which is not a class;")


def test_a_released_ground_truth_has_thirty_instances_outside_five_videos() -> None:
    path = FIXTURES / "thumos14/gt_hrpro.json"
    (note,) = truth_notes(path, *(read_annotations(path, subset) for subset in ("Validation", "Test")))
    assert note.startswith(
        f"{path}: 30 instances lie wholly outside their video, in 5 videos (video_validation_0000364, "
        "video_validation_0000856, video_test_0000270, video_test_0000814, video_test_0001081); "
    )


def test_a_released_ground_truth_has_four_instances_outside_two_videos(shared: Path) -> None:
    path = shared / "data/thumos14/gt_thumos14.json"
    (note,) = truth_notes(path, *(read_annotations(path, subset) for subset in ("val", "test")))
    assert "4 instances lie wholly outside their video, in 2 videos (video_test_0001081, video_test_0000814); " in note


@pytest.mark.parametrize(
    ("segment", "best", "expected"),
    [((50, 60), (30, 40), 0.5), ((30, 50), (30, 40), 0.5), ((30, 50), (30, 50), 1.0)],
)
def test_scores_count_what_the_notes_say(
    segment: tuple[float, float], best: tuple[float, float], expected: float
) -> None:
    """At tIoU 0.7: an instance outside is missed, and one partly outside is compared whole."""
    truth = timed([("v", "a", 1.0, 2.0), ("v", "a", *segment)])
    found = detections([("v", "a", 1.0, 2.0, 0.9), ("v", "a", *best, 0.8)])
    assert score(truth, found, (0.7,), subset="test").mAP == (expected,)


def test_a_repeated_instance_needs_a_detection_of_its_own() -> None:
    truth = timed([("v", "a", 1.0, 2.0), ("v", "a", 1.0, 2.0)])
    assert score(truth, detections([("v", "a", 1.0, 2.0, 0.9)]), (0.5,), subset="test").mAP == (0.5,)


CLEAN = [("u", "a", 1.0, 2.0), ("v", "b", 1.0, 2.0), ("w", "c", 1.0, 2.0)]


def test_nothing_is_said_of_training_videos_with_a_class_each() -> None:
    assert training_notes(PATH, timed(CLEAN), timed(CLEAN)) == []


def test_training_videos_without_an_instance() -> None:
    rows = [("u", "a", 1.0, 2.0), ("u", "b", 1.0, 2.0), ("u", "c", 1.0, 2.0)]
    (note,) = training_notes(PATH, timed(rows), timed(CLEAN))
    assert note == (
        "gt.json: 2 of 3 training videos have no instance (v, w); training takes them for background as a whole"
    )


def test_classes_without_a_training_video() -> None:
    (note,) = training_notes(PATH, timed([*CLEAN[:2], ("w", "a", 1.0, 2.0)]), timed([*CLEAN, ("v", "c", 5.0, 6.0)]))
    assert note == (
        "gt.json: 1 of 3 classes has no training video (c); nothing can be learnt of it, and scores include "
        "2 test instances"
    )


def test_video_labels_that_say_little() -> None:
    two = [(video, label, 1.0, 2.0) for video in "uv" for label in "ab"]
    (note,) = training_notes(PATH, timed([*two, ("w", "c", 1.0, 2.0)]), timed(CLEAN))
    assert note == (
        "gt.json: 2 of 3 training videos have more than half of the 3 classes, so video labels say little; cut the "
        "videos into shorter ones, or train on clicks or instances"
    )
    one = replace(annotations([(video, "a", 1.0, 2.0) for video in "uvw"], classes="a"), duration=np.full(3, 40.0))
    (note,) = training_notes(PATH, one, one)
    assert note.startswith("gt.json: 3 of 3 training videos have the only class, so video labels say little;")


def test_detections_outside_their_video_are_counted_where_durations_are_known() -> None:
    truth = replace(annotations([("v", "a", 1.0, 2.0)]), duration=np.array([np.nan, 40.0, 40.0]))
    rows = [("u", "a", 900.0, 950.0, 1.0), ("v", "a", 39.0, 60.0, 1.0), ("v", "a", 900.0, 950.0, 1.0)]
    (note,) = detection_notes(PATH, truth, detections([*rows, ("w", "a", -3.0, -1.0, 1.0)]))
    assert note == (
        "gt.json: 2 of 3 detections lie wholly outside their video (durations of the ground truth), in 2 videos (v, w);"
        " are they in frames? Times are seconds"
    )
    assert detection_notes(PATH, truth, detections(rows[:2])) == detection_notes(PATH, truth, detections([])) == []


@pytest.mark.parametrize(("outside", "refused"), [(2, False), (3, True)])
def test_instances_that_mostly_lie_outside_their_videos_are_frames(outside: int, refused: bool, tmp_path: Path) -> None:
    root = make_dataset(tmp_path, train=2, test=2, channels=2, snippets=4)

    def in_frames(content: dict[str, Any]) -> None:
        for number, entry in enumerate(content["database"].values()):
            start, end = (300.0, 600.0) if number < outside else (1.0, 2.0)
            entry["annotations"] = [{**entry["annotations"][0], "segment": [start, end]}]

    edit_json(root / "gt_thumos14.json", in_frames)
    spec = found(root)
    if not refused:
        assert any(f"{outside} instances lie wholly outside" in note for note in dataset_notes(spec, {}))
        return
    (problem,) = problems_of(lambda: dataset_notes(spec, {}))
    assert f"{outside} of 4 instances lie wholly outside their video" in problem
    assert "has one from 300 to 600" in problem
    assert "divide frames by the frames a second" in problem
