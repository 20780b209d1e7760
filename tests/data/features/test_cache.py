"""Converted datasets: the files that `convert` writes, and those that are refused on opening."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.features.cache import check_cache, convert, is_converted, open_cache, read_manifest
from tal_search.data.features.split_reader import read_truths
from tal_search.data.load import load
from tal_search.errors import InputError
from tal_search.types import BACKGROUND_CLICKS
from tests.support.make_dataset import edit_json, found


@pytest.fixture
def cache(root: Path, tmp_path: Path) -> Path:
    convert(found(root, snippets=30), tmp_path / "cache", [])
    return tmp_path / "cache"


def test_both_splits_are_mapped_and_equal_the_features_that_were_converted(root: Path, cache: Path) -> None:
    assert is_converted(cache)
    assert not is_converted(root)
    train, test = open_cache(cache, 30, checked=True)
    own = load(found(root, snippets=30), "A1", (BACKGROUND_CLICKS,))
    np.testing.assert_array_equal(train.features, own.train.features)
    np.testing.assert_array_equal(test.labels, own.test.labels)
    assert (train.videos, test.videos) == (own.train.videos, own.test.videos)
    assert not train.features.flags.writeable
    assert not test.background_clicks.any()


def test_the_manifest_counts_snippets_and_says_whether_features_had_clicks(root: Path, cache: Path) -> None:
    manifest = read_manifest(cache)
    assert (manifest["snippets"], manifest["embedded"]) == (30, False)
    assert manifest["test"]["videos"] == [f"video_test_{number:04d}" for number in range(3)]
    for path in root.glob("clicks_*"):
        path.unlink()
    convert(found(root), cache.with_name("embedded"), [])
    assert read_manifest(cache.with_name("embedded"))["embedded"]


@pytest.mark.parametrize("key", ["snippets", "embedded", "train"])
def test_a_manifest_that_lacks_a_part_is_refused(cache: Path, key: str) -> None:
    edit_json(cache / "manifest.json", lambda content: content.pop(key))
    with pytest.raises(InputError, match=r"manifest\.json: is not a whole manifest of converted features"):
        read_manifest(cache)


def test_sizes_are_compared_always_and_content_where_asked(cache: Path) -> None:
    path = cache / "train_labels.npy"
    np.save(path, 1 - np.load(path))
    assert open_cache(cache, 30, checked=False)[0].labels.sum() == 8
    with pytest.raises(InputError, match=r"is damaged \(train_labels\.npy has size and checksum"):
        open_cache(cache, 30, checked=True)
    with pytest.raises(InputError, match="was converted to 30 snippets, and 40 are wanted"):
        open_cache(cache, 40, checked=False)


def test_arrays_that_disagree_with_the_ground_truth_are_refused(cache: Path) -> None:
    spec = found(cache, snippets=30)
    assert check_cache(cache, 30, *read_truths(spec)).videos == tuple(f"video_val_{n:04d}" for n in range(4))

    def other(content: dict[str, dict[str, object]]) -> None:
        content["database"]["video_val_0009"] = content["database"].pop("video_val_0000")
        content["activity_list"].append("Diving")  # type: ignore[attr-defined]

    edit_json(cache / "gt_thumos14.json", other)
    with pytest.raises(InputError) as caught:
        check_cache(cache, 30, *read_truths(spec))
    videos, classes = caught.value.problems
    assert videos == f"{cache}: its videos are not those of the ground truth; convert the features again"
    assert classes == f"{cache}: has 3 classes where the ground truth has 4; convert the features again"


def test_labels_that_disagree_with_the_ground_truth_are_refused(cache: Path) -> None:
    edit_json(cache / "gt_thumos14.json", lambda content: content["activity_list"].reverse())
    with pytest.raises(InputError) as caught:
        check_cache(cache, 30, *read_truths(found(cache, snippets=30)))
    assert list(caught.value.problems) == [
        f"{cache}: its {split} labels disagree with the ground truth in {count} videos; convert the features again"
        for split, count in (("train", "3 of 4"), ("test", "2 of 3"))
    ]


def test_a_link_out_of_the_folder_is_refused(cache: Path, tmp_path: Path) -> None:
    (cache / "test_frames.npy").rename(tmp_path / "frames.npy")
    (cache / "test_frames.npy").symlink_to(tmp_path / "frames.npy")
    with pytest.raises(InputError, match="a file is a link to elsewhere"):
        open_cache(cache, 30, checked=False)


def test_a_folder_that_is_not_empty_and_features_already_converted_are_refused(root: Path, cache: Path) -> None:
    with pytest.raises(InputError, match=r"cache exists and is not empty; give a new folder"):
        convert(found(root), cache, [])
    with pytest.raises(InputError, match="is already converted; give the features that it was made from"):
        convert(found(cache, snippets=30), cache.with_name("twice"), [])
    assert json.loads((cache / "manifest.json").read_text())["snippets"] == 30
    assert not list(cache.parent.glob("*.unfinished"))


def test_the_dataset_is_not_in_the_way_of_its_own_conversion(root: Path, tmp_path: Path) -> None:
    """The folder that a conversion makes and removes is named after `out`."""
    moved = root.rename(tmp_path / "new.unfinished")
    with pytest.raises(InputError, match="holds the dataset; give another name"):
        convert(found(moved), tmp_path / "new", [])
    assert (moved / "gt_thumos14.json").is_file()
