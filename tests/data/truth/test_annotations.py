"""Ground truths: real files, and one clear error for every bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truth_notes import truth_notes
from tal_search.data.truth.truths import lasting
from tal_search.errors import InputError
from tests.support.definitions import THUMOS14
from tests.support.make_dataset import require_each
from tests.support.paths import FIXTURES


def truth_file(folder: Path, database: Any, **more: Any) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps({"database": database, **more}))
    return path


def video(*items: Any, subset: str = "test", **more: Any) -> dict[str, Any]:
    return {"subset": subset, "annotations": [{"segment": item[0], "label": item[1]} for item in items], **more}


def problems_of(path: Path, subset: str = "test") -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        read_annotations(path, subset)
    assert all(problem.startswith(f"{path}: ") and "\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def require_counts(path: Path, subset: str, videos: int, instances: int, classes: int) -> None:
    truth = read_annotations(path, subset)
    assert (len(truth.videos), len(truth.label), len(truth.classes)) == (videos, instances, classes)
    assert truth.segment.shape == (instances, 2)
    assert np.all(truth.segment[:, 1] > truth.segment[:, 0])
    assert np.isnan(truth.duration).all() == ("stpn" in path.parts)
    assert truth.ambiguous is None


@pytest.mark.parametrize(
    ("file", "subset", "videos", "instances", "classes"),
    [
        ("thumos14/gt_hrpro.json", "Validation", 200, 3007, 20),
        ("thumos14/gt_hrpro.json", "Test", 212, 3358, 20),
        ("stpn/ground_truth.json", "test", 210, 3311, 20),
    ],
)
def test_real_ground_truths(file: str, subset: str, videos: int, instances: int, classes: int) -> None:
    require_counts(FIXTURES / file, subset, videos, instances, classes)


@pytest.mark.parametrize(
    ("file", "subset", "videos", "instances", "classes"),
    [
        ("thumos14/gt_thumos14.json", "val", 200, 3003, 20),
        ("thumos14/gt_thumos14.json", "test", 210, 3311, 20),
        ("beoid/beoid_groundtruth.json", "training", 46, 594, 34),
        ("gtea/gtea_groundtruth.json", "validation", 7, 130, 7),
    ],
)
def test_ground_truths_that_no_clone_has(
    shared: Path, file: str, subset: str, videos: int, instances: int, classes: int
) -> None:
    require_counts(shared / "data" / file, subset, videos, instances, classes)


def test_both_thumos14_subsets_number_the_classes_alike() -> None:
    path = FIXTURES / "thumos14/gt_hrpro.json"
    assert read_annotations(path, "Validation").classes == read_annotations(path, "Test").classes == THUMOS14


def test_activitynet_is_read_with_its_ten_instances_of_no_length(shared: Path) -> None:
    path = shared / "data/activitynet/activity_net.v1-2.min.json"
    truths = [read_annotations(path, subset) for subset in ("training", "validation")]
    assert [(len(truth.videos), len(truth.label), len(truth.classes)) for truth in truths] == [
        (4819, 7151, 100), (2383, 3582, 100),
    ]  # fmt: skip
    assert [len(truth.label) - len(lasting(truth).label) for truth in truths] == [7, 3]
    empty, late, repeated = truth_notes(path, *truths)
    assert empty.startswith(f"{path}: 10 instances have no length, in 10 videos (2IRQ5fPwHV8, ")
    assert empty.endswith("; they count in every score, and no detection can find them")
    assert late.startswith(f"{path}: 5 instances lie partly outside their video, after its end, in 5 videos (")
    assert repeated.startswith(f"{path}: 34 instances repeat another exactly, in ")
    assert truth_notes(path, *map(lasting, truths)) == [late, repeated]
    (only,) = problems_of(path, "testing")
    assert "'testing' has no instance in its 2480 videos" in only


def test_text_numbers_durations_and_sorted_labels(tmp_path: Path) -> None:
    database = {
        "b": video((["88.6", "90.9"], "run"), duration="120.5"),
        "a": video(([1, 2], "jump"), ([1, 2], "jump"), duration=60),
        "none": video(),
        "other": video(([3, 4], "climb"), subset="val"),
    }
    truth = read_annotations(truth_file(tmp_path, database), "test")
    assert truth.videos == ("b", "a", "none")
    assert truth.classes == ("climb", "jump", "run")
    assert truth.video.tolist() == [0, 1, 1]
    assert truth.label.tolist() == [2, 1, 1]
    assert truth.segment.tolist() == [[88.6, 90.9], [1, 2], [1, 2]]
    assert truth.duration.tolist()[:2] == [120.5, 60]
    assert np.isnan(truth.duration[2])


def test_activity_list_gives_the_order_of_classes(tmp_path: Path) -> None:
    path = truth_file(tmp_path, {"v": video(([0, 1], "jump"))}, activity_list=["run", "jump", "climb"])
    assert read_annotations(path, "test").classes == ("run", "jump", "climb")
    assert read_annotations(path, "test").label.tolist() == [1]


def test_every_problem_of_a_ground_truth_in_one_pass(tmp_path: Path) -> None:
    database: dict[str, Any] = {
        "a": video(([9, 2], "run"), (["x", 2], "run"), ([1], "run"), (None, "run"), ([True, 2], "run")),
        "b": video(([0, float("nan")], "run"), ([0, float("inf")], "run"), ([0, 10**400], "run")),
        "c": video(([0, 1], "runn"), ([0, 1], None), ([0, 1], 7), duration=-3),
        "d": {"subset": "test", "annotations": {}},
        "e": {"subset": "test"},
        "f": {"annotations": []},
        "g": {"subset": "test", "annotations": ["run"]},
        "h\nh": video(([2, 1], "run")),
        "skipped": video(([2, 1], "nothing"), subset="val"),
    }
    problems = problems_of(truth_file(tmp_path, database, activity_list=["run", "jump"]))
    expected = [
        "database.f has no subset",
        "labels that activity_list does not name: 'runn' (1 instance, first in database.c.annotations[0]; "
        "did you mean 'run'?); correct one of them",
        "database.a.annotations[0].segment is [9, 2], which ends before it starts",
        *[f"database.a.annotations[{index}].segment is" for index in range(1, 3)],
        "database.a.annotations[3].segment is missing; give [start, end], two finite numbers of seconds (and 4 more",
        "c.annotations[1].label is missing; give the name of a class",
        "c.annotations[2].label is 7; give the name of a class",
        "database.d.annotations is {}",
        "database.e.annotations is missing",
        "database.g.annotations[0] is run; give an object",
        "database.h\\nh.annotations[0].segment is [2, 1]",
        "database.c.duration is -3",
    ]
    require_each(problems, expected)


def test_what_two_hundred_videos_have_is_a_few_sentences(tmp_path: Path) -> None:
    bad = {"annotations": [{"segment": [1, 0], "label": "run"}, {"segment": [1, None], "label": ["run"]}, "run"]}
    database: dict[str, Any] = {f"v{number}": {"subset": "test", "duration": 0, **bad} for number in range(200)}
    problems = problems_of(truth_file(tmp_path, {**database, **{f"w{number}": bad for number in range(200)}}))
    kinds = ("no subset", "ends before", "two finite numbers", ".label is", "give an object", ".duration is 0")
    assert [sum(kind in problem for problem in problems) for kind in kinds] == [3] * 6
    assert len(problems) == 18
    assert sum(problem.endswith(" (and 197 more like it)") for problem in problems) == 6


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a whole JSON file"),
        (b'{"database": {"v": {"subset"', "is not a whole JSON file"),
        (b"\x80\x04\x95 pickled", "is not a whole JSON file"),
        (b"[" * 100_000, "is not a whole JSON file"),
        (b"[]", "has no object 'database'"),
        (b'{"results": {}}', "has no object 'database'"),
        (b'{"database": []}', "has no object 'database'"),
        (b'{"database": {}}', "subset 'test' is not in the file; subsets present: none"),
        (b'{"database": {"v": {"subset": "Val", "annotations": []}}}', "subsets present: 'Val' (1 videos)"),
        (b'{"database": {"v": {"subset": "test", "annotations": []}}}', "has no instance in its 1 videos"),
        (b'{"database": {"v": {"subset": "test", "annotations": []}}, "activity_list": [3]}', "activity_list is [3]"),
        (b'{"activity_list": ["a", "a"], "database": {"v": {"subset": "test", "annotations": []}}}', "'a' 2 times"),
    ],
)
def test_files_that_are_no_ground_truth(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(content)
    (problem,) = problems_of(path)
    assert says in problem


def test_a_video_given_twice_is_not_silently_merged(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    entry = json.dumps(video(([0, 1], "run")))
    path.write_text(f'{{"database": {{"v": {entry}, "v": {entry}}}}}')
    (problem,) = problems_of(path)
    assert "key 'v' is given more than once" in problem


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in problems_of(tmp_path / "none.json")[0]
    assert "cannot be read (Is a directory)" in problems_of(tmp_path)[0]
