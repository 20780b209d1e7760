"""Files of a dataset found by name: split folders, features, ground truth, clicks, subsets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tal_search.data.catalog import definition
from tal_search.data.data_folder import (
    click_notes,
    feature_files,
    find_clicks,
    find_ground_truth,
    fps_notes,
    holds,
    seen_at,
    split_folders,
    subset_by_video,
    subsets_and_fps,
)
from tal_search.data.features.split_reader import read_both
from tal_search.errors import InputError
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS
from tests.support.make_dataset import problems_of


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_hidden_files_are_no_features(tmp_path: Path) -> None:
    touch(tmp_path / ".b.npz")
    assert not holds(tmp_path, "*.npz")
    assert not holds(tmp_path / "absent", "*.npz")
    touch(tmp_path / "b.npz", tmp_path / "a.npz")
    assert holds(tmp_path, "*.npz")
    assert list(feature_files(tmp_path, tmp_path)) == ["a", "b"]


def test_the_test_folder_is_chosen_before_the_training_folder(tmp_path: Path) -> None:
    """A "validation" folder is THUMOS14's training split, and the test split where there is no other."""

    def has(folder: Path) -> bool:
        return holds(folder, "*.npz")

    touch(tmp_path / "validation" / "v.npz")
    assert split_folders(tmp_path, definition("thumos14").splits, has) == (None, tmp_path / "validation")
    touch(tmp_path / "test" / "v.npz")
    assert split_folders(tmp_path, definition("thumos14").splits, has) == (tmp_path / "validation", tmp_path / "test")


def test_two_folders_of_one_split_are_named(tmp_path: Path) -> None:
    touch(*(tmp_path / part / "v.npz" for part in ("val", "validation", "training", "test")))
    (problem,) = problems_of(
        lambda: split_folders(tmp_path, definition("thumos14").splits, lambda folder: holds(folder, "*.npz"))
    )
    assert problem == f"{tmp_path} has 3 folders of the training split (val, validation, training); keep one of them"
    (tmp_path / "validation" / "v.npz").unlink()
    folders = split_folders(tmp_path, definition("mine").splits, lambda folder: holds(folder, "*.npz"))
    assert folders == (tmp_path / "training", tmp_path / "test")  # and val, a third split


def test_the_nearest_ground_truth_and_the_one_named_after_the_dataset(tmp_path: Path) -> None:
    root = tmp_path / "features"
    root.mkdir()
    with pytest.raises(InputError, match=r"no ground truth \(gt_x.json\) in .*; give dataset.ground_truth=PATH"):
        find_ground_truth(root, "x")
    touch(tmp_path / "gt_x.json")
    assert find_ground_truth(root, "x") == tmp_path / "gt_x.json"
    touch(root / "my_groundtruth.json")
    assert find_ground_truth(root, "x") == root / "my_groundtruth.json"
    touch(root / "gt_y.json")
    with pytest.raises(InputError, match=r"several ground truths \(gt_y.json, my_groundtruth.json\)"):
        find_ground_truth(root, "x")
    assert find_ground_truth(root, "y") == root / "gt_y.json"


def test_click_files_by_kind_and_annotator(tmp_path: Path) -> None:
    touch(tmp_path / "clicks_action_1.txt", tmp_path / "clicks_action_uniform.json", tmp_path / "clicks_action_2.bak")
    files = find_clicks(tmp_path, "x", None)
    assert files == {
        BACKGROUND_CLICKS: {},
        ACTION_CLICKS: {"A1": tmp_path / "clicks_action_1.txt", "uniform": tmp_path / "clicks_action_uniform.json"},
    }
    touch(tmp_path / "clicks_action_A1.csv")
    (problem,) = problems_of(lambda: find_clicks(tmp_path, "x", None))
    assert "clicks_action_A1.csv and clicks_action_1.txt are both of annotator A1; keep one" in problem
    (problem,) = problems_of(lambda: find_clicks(None, "x", tmp_path / "absent"))
    assert "is not a folder with files clicks_background_ANNOTATOR.txt or clicks_action_ANNOTATOR.txt" in problem


def test_click_files_that_are_none_and_names_that_are_nearly_right(tmp_path: Path) -> None:
    touch(tmp_path / "clicks_background_.txt")
    (tmp_path / "clicks_background_A1.txt").symlink_to(tmp_path / "gone")
    (tmp_path / "clicks_action_A1.csv").mkdir()
    os.mkfifo(tmp_path / "clicks_action_A2.txt")
    problems = "\n".join(problems_of(lambda: find_clicks(tmp_path, "x", tmp_path)))
    assert "clicks_background_.txt names no annotator; rename it to clicks_background_ANNOTATOR.txt" in problems
    assert "clicks_background_A1.txt is a link to nothing; put the clicks there" in problems
    assert problems.count(" is not a file; ") == 2
    root = tmp_path / "x"
    touch(root / "clicks_background_A1.txt", root / "clicks_background_A2.TXT", root / "click_background_A3.txt")
    (note,) = click_notes(root, "x", [root / "clicks_background_A1.txt"])
    near = f"{root}: click_background_A3.txt, clicks_background_A2.TXT are not read; a click file is named "
    assert note == f"{near}clicks_background_ANNOTATOR.txt or clicks_action_ANNOTATOR.txt"


def test_subsets_by_their_usual_names_and_plausible_frame_rates(tmp_path: Path) -> None:
    path = tmp_path / "gt.json"
    database = {"a": {"subset": "Validation", "fps": 25}, "b": {"subset": "Test", "fps": 0}, "c": 3, "d": {"fps": 1e9}}
    database |= {
        "e": {"fps": "29.97"},
        "f": {"fps": "fast"},
        "g": {"fps": None},
        "h": {"fps": True},
        "i": {"fps": "nan"},
    }
    path.write_text(json.dumps({"database": database}))
    assert subset_by_video(path) == {"a": "Validation", "b": "Test"}
    assert subsets_and_fps(path, definition("thumos14").splits) == ("Validation", "Test", {"a": 25.0, "e": 29.97})
    (note,) = fps_notes(path)
    assert "5 videos have an fps that is no frame rate and is not read (b: 0, d: 1000000000.0, f: fast" in note
    (problem,) = problems_of(lambda: subsets_and_fps(path, definition("activitynet12").splits))
    assert "has no training subset (training or train); subsets present: 'Test', 'Validation'" in problem


def test_what_is_at_a_root_is_said_in_words(tmp_path: Path) -> None:
    assert seen_at(tmp_path / "absent") == "does not exist"
    assert seen_at(tmp_path) == "is empty"
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    assert seen_at(tmp_path / "link") == "is a link to nothing"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert seen_at(tmp_path / "loop") == "is a link to nothing"
    assert seen_at(Path("a" * 5000)) == "cannot be read (File name too long)"
    touch(tmp_path / "x" / ".hidden", tmp_path / "x" / "a.pkl", tmp_path / "x" / "train" / "b.pkl")
    assert seen_at(tmp_path / "x" / "a.pkl") == "is a file, not a folder"
    assert seen_at(tmp_path / "x") == "holds 2 .pkl"
    touch(tmp_path / "x" / "notes")
    assert seen_at(tmp_path / "x") == "holds 2 .pkl and 1 without an ending"
    touch(*(tmp_path / "x" / f"a.{letter}" for letter in "bcdefg"))
    assert seen_at(tmp_path / "x").startswith("holds 2 .pkl, ")
    assert seen_at(tmp_path / "x").endswith(" and 3 others")


def test_links_that_lead_to_themselves_are_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.npz").symlink_to(tmp_path / "a.npz")
    assert feature_files(tmp_path, tmp_path) == {"a": tmp_path / "a.npz"}


def test_all_usual_names_of_a_split_in_any_case_are_one_subset(tmp_path: Path) -> None:
    path = tmp_path / "gt.json"
    names = ["VAL ", "val", "val", "test", "test", "testing", "Test ", "validation"]
    items = [{"segment": [0, 1], "label": "HighJump"}]
    database = {f"v{index}": {"subset": name, "annotations": items} for index, name in enumerate(names)}
    path.write_text(json.dumps({"database": database}))
    assert subsets_and_fps(path, definition("thumos14").splits)[:2] == ("val", "test")
    notes: list[str] = []
    train, test = read_both(path, ["val", "test"], None, notes)
    assert (train.videos, test.videos) == (("v0", "v1", "v2", "v7"), ("v3", "v4", "v5", "v6"))
    assert notes == [
        f"{path}: several names of one subset are read as one: 'val' (2 videos), 'VAL ' (1 video), "
        "'validation' (1 video)",
        f"{path}: several names of one subset are read as one: 'test' (2 videos), 'testing' (1 video), "
        "'Test ' (1 video)",
    ]
