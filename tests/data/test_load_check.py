"""The check of a dataset: one sentence for each problem, all of them in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import check, load
from tal_search.errors import InputError
from tal_search.types import BACKGROUND_CLICKS
from tests.support.make_dataset import change, edit_json, found, make_dataset, problems_of


def check_problems(root: Path, annotators: tuple[str, ...] = ("A1", "A2")) -> tuple[str, ...]:
    """The problems that `check` reports; `load` must refuse the same dataset."""
    spec = found(root)
    problems = problems_of(lambda: check(spec, annotators, (BACKGROUND_CLICKS,)))
    assert any(refused(spec, annotator) for annotator in annotators)
    return problems


def refused(spec: DatasetSpec, annotator: str) -> bool:
    try:
        load(spec, annotator, (BACKGROUND_CLICKS,))
    except InputError:
        return True
    return False


def test_missing_video(root: Path) -> None:
    (root / "test" / "video_test_0001.npz").unlink()
    (problem,) = check_problems(root)
    assert "no features of 1 video (video_test_0001) of gt_thumos14.json" in problem


def test_video_that_the_ground_truth_does_not_have(root: Path) -> None:
    edit_json(root / "gt_thumos14.json", lambda content: content["database"].pop("video_test_0002"))
    (problem,) = check_problems(root)
    assert "1 video (video_test_0002) not in the subset of gt_thumos14.json" in problem


def test_wrong_channel_count(root: Path) -> None:
    path = root / "val" / "video_val_0003.npz"
    change(path, feat_spa=np.zeros((5, 40), np.float32))
    (problem,) = check_problems(root)
    assert problem.startswith(f"{path}: expected 8 feature channels")
    assert problem.endswith("got 9")


def test_truncated_npz(root: Path) -> None:
    spec, path = found(root), root / "val" / "video_val_0003.npz"
    path.write_bytes(path.read_bytes()[:-30])
    (problem,) = problems_of(lambda: check(spec, ("A1",), (BACKGROUND_CLICKS,)))
    assert f"{path}: is truncated or not an npz file" in problem
    assert refused(spec, "A1")


def test_pickled_npz(root: Path) -> None:
    path = root / "val" / "video_val_0003.npz"
    change(path, feat_spa=np.array([{}], dtype=object))
    (problem,) = check_problems(root)
    assert f"{path}: feat_spa is pickled" in problem


def test_clicks_beyond_the_duration(root: Path) -> None:
    change(root / "val" / "video_val_0001.npz", duration=30.0)
    (problem,) = check_problems(root)
    assert "clicks_background_A1.txt: line 7: the click is at 35 s of video_val_0001, which lasts 30 s" in problem


def test_empty_annotation_of_a_split(root: Path) -> None:
    def empty(content: dict[str, Any]) -> None:
        for name, video in content["database"].items():
            if "test" in name:
                video["annotations"] = []

    edit_json(root / "gt_thumos14.json", empty)
    (problem,) = check_problems(root)
    assert "subset 'test' has no instance in its 3 videos" in problem


def test_empty_annotation_of_a_video(root: Path) -> None:
    edit_json(root / "gt_thumos14.json", lambda content: content["database"]["video_val_0000"].update(annotations=[]))
    (problem,) = check_problems(root)
    assert "video_val_0000.npz: cls_label names a class, but the ground truth has no instance of this video" in problem


def test_label_outside_the_class_list(root: Path) -> None:
    def misspell(content: dict[str, Any]) -> None:
        content["database"]["video_val_0000"]["annotations"][0]["label"] = "GolfSwinng"

    edit_json(root / "gt_thumos14.json", misspell)
    (problem,) = check_problems(root)
    assert "labels that activity_list does not name: 'GolfSwinng' (1 instance, first in " in problem
    assert "first in database.video_val_0000.annotations[0]; did you mean 'GolfSwing'?)" in problem


def test_class_count_that_differs(root: Path) -> None:
    change(root / "val" / "video_val_0000.npz", cls_label=np.array([1, 0]), point_label=None)
    (problem,) = check_problems(root)
    assert "cls_label has 2 classes where the ground truth has 3" in problem


def test_classes_in_another_order(root: Path) -> None:
    edit_json(root / "gt_thumos14.json", lambda content: content["activity_list"].reverse())
    problems = check_problems(root)
    assert len(problems) == 2
    assert all("cls_label disagrees with the ground truth" in problem for problem in problems)


def test_no_duration_anywhere(root: Path) -> None:
    change(root / "test" / "video_test_0000.npz", duration=None)
    edit_json(root / "gt_thumos14.json", lambda content: content["database"]["video_test_0000"].pop("duration"))
    (problem,) = check_problems(root)
    assert "video_test_0000.npz: has no duration" in problem


def test_annotator_without_clicks(root: Path) -> None:
    (problem,) = problems_of(lambda: check(found(root), ("A1", "B7"), (BACKGROUND_CLICKS,)))
    assert "annotator 'B7' has no background clicks in thumos14; found: A1, A2; add clicks_background_B7.txt" in problem


def test_subsets_that_are_not_there(root: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        for video in content["database"].values():
            video["subset"] = "everything"

    edit_json(root / "gt_thumos14.json", rename)
    assert len(check_problems(root)) == 2


def test_every_problem_in_one_pass(root: Path) -> None:
    change(root / "val" / "video_val_0000.npz", feat_tem=np.full((4, 40), np.nan))
    change(root / "val" / "video_val_0001.npz", feat_spa=None)
    change(root / "test" / "video_test_0000.npz", feat_spa=np.zeros((7, 40), np.float32))
    (root / "test" / "video_test_0001.npz").unlink()
    with (root / "clicks_background_A2.txt").open("a") as file:
        file.write("video_val_0002,,20,,99,99,1,1\n")
    assert len(check_problems(root)) == 5


def test_many_problems_are_counted(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "many", train=40)
    for file in (root / "val").glob("*.npz"):
        change(file, feat_spa=None)
    (problem,) = check_problems(root)
    assert problem.startswith(f"{root / 'val' / 'video_val_0000.npz'}: has no feat_spa; ")
    assert problem.endswith(
        "(also 39 other files: video_val_0001.npz, video_val_0002.npz, video_val_0003.npz, "
        "video_val_0004.npz, video_val_0005.npz and 34 more)"
    )
    for number, file in enumerate(sorted((root / "val").glob("*.npz"))):
        change(file, feat_spa=np.zeros((4, 40), f"S{number + 1}"))
    (problem,) = check_problems(root)
    assert "feat_spa is |S1 of shape (4, 40); expected floats [channels, snippets] (also 39 other files: " in problem


def test_the_counts_of_one_file_stay_beside_the_problems_of_another(root: Path) -> None:
    change(root / "val" / "video_val_0001.npz", feat_spa=None)
    clicks = root / "clicks_background_A2.txt"
    with clicks.open("a") as file:
        file.writelines(f"video_val_0002,,20,,{90 + row},99,1,1\n" for row in range(60))
    problems = check_problems(root)
    assert len(problems) == 4
    assert any(problem.startswith(f"{clicks}: ") and "(and 57 more like it)" in problem for problem in problems)
    assert any("video_val_0001.npz" in problem for problem in problems)
