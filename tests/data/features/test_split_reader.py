"""One split of features with its ground truth: pairing, problems of videos, and the arrays of all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tal_search.data.features.split_reader import FeatureSplit, read_both, read_splits, read_truths
from tal_search.data.truth.labels import NAMED
from tal_search.errors import Problems
from tests.support.make_dataset import CLASSES, change, edit_json, found, make_dataset, problems_of


def training(root: Path) -> FeatureSplit:
    return read_splits(found(root), Problems())[0]


def test_a_split_has_its_files_truth_channels_and_frame_rates(root: Path) -> None:
    train, test = read_splits(found(root), Problems())
    assert list(train.files) == [f"video_val_{number:04d}" for number in range(4)]
    assert (train.channels, train.truth.classes) == (8, CLASSES)
    assert train.fps["video_val_0002"] == 10
    assert list(test.files) == list(test.truth.videos)


def test_videos_come_one_by_one_and_a_bad_one_is_a_problem(root: Path) -> None:
    change(root / "val" / "video_val_0001.npz", feat_spa=np.zeros((7, 40), np.float32))
    change(root / "val" / "video_val_0002.npz", duration=None)
    problems = Problems()
    videos = [(name, seconds) for name, _, seconds in training(root).videos(problems)]
    assert videos == [("video_val_0000", 40), ("video_val_0002", 42), ("video_val_0003", 43)]
    (problem,) = problems_of(problems.raise_if_any)
    assert problem == (
        f"{root}/val/video_val_0001.npz: expected 8 feature channels (feat_spa and feat_tem together), got 11"
    )


def test_unpaired_videos_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    root, problems = make_dataset(tmp_path / "x", train=8), Problems()
    spec = found(root)
    for number in range(7):
        (root / "val" / f"video_val_{number:04d}.npz").unlink()
    edit_json(root / "gt_thumos14.json", lambda content: content["database"].pop("video_val_0007"))
    read_splits(spec, problems)
    lost, extra = problems_of(problems.raise_if_any)
    names = ", ".join(f"video_val_{number:04d}" for number in range(NAMED))
    assert f"no features of 7 videos ({names} and 2 more) of gt_thumos14.json" in lost
    assert "1 video (video_val_0007) not in the subset of gt_thumos14.json; move the files away" in extra


@pytest.mark.parametrize("mapped", [False, True])
def test_arrays_are_in_half_precision_unless_that_loses_too_much(root: Path, tmp_path: Path, mapped: bool) -> None:
    split, problems, notes = training(root), Problems(), list[str]()
    file = tmp_path / "features.npy" if mapped else None
    videos = split.load(20, problems, notes, file)
    assert (videos.features.shape, videos.features.dtype, notes) == ((4, 8, 20), np.float16, [])
    assert isinstance(videos.features, np.memmap) == mapped
    assert videos.background_clicks.sum(1).tolist() == [3, 3, 3, 3]
    change(root / "val" / "video_val_0001.npz", feat_spa=np.full((4, 40), 1e6, np.float32))
    change(root / "val" / "video_val_0000.npz", cls_label=None)
    videos = split.load(20, problems, notes, file)
    assert (videos.features.dtype, videos.features.max(), len(notes)) == (np.float32, 1e6, 1)
    (problem,) = problems_of(problems.raise_if_any)  # once, although the files were read twice
    assert "video_val_0000.npz: has no cls_label" in problem


def test_a_problem_of_the_whole_ground_truth_is_reported_once(root: Path) -> None:
    train, test = read_truths(found(root))
    assert (len(train.videos), len(test.videos)) == (4, 3)
    path = root / "gt_thumos14.json"
    edit_json(path, lambda content: content.update(activity_list=[*CLASSES, CLASSES[0]]))
    assert problems_of(lambda: read_both(path, ["val", "test"])) == (
        f"{path}: activity_list names '{CLASSES[0]}' 2 times; keep one",
    )


def test_labels_of_a_few_files_that_contradict_the_ground_truth_are_a_warning(root: Path) -> None:
    for number in (1, 2):
        file = root / "val" / f"video_val_{number:04d}.npz"
        with np.load(file) as stored:
            rolled = np.roll(stored["cls_label"], 1)
        change(file, cls_label=rolled)
    split, problems = training(root), Problems()
    list(split.videos(problems))
    assert not len(problems)
    assert [note for note in split.notes if "cls_label" in note] == [
        f"WARNING: {root}/val: cls_label disagrees with the ground truth in 2 of 4 videos (video_val_0001, "
        "video_val_0002); video labels are those of cls_label, instances and scores those of the ground truth; "
        "correct one of them"
    ]
