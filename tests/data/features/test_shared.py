"""Arrays shared by all processes of a machine: mapped, checked, made again where damaged; truths without them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from tal_search.data import load as loading
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.shared import PACKAGE, place_of, readers_version
from tal_search.data.load import LOADED, load, load_truths
from tal_search.nn.arrays import tensor
from tal_search.types import BACKGROUND_CLICKS, Annotations, Dataset, VideoSet
from tests.support.make_dataset import change, found

pytestmark = pytest.mark.usefixtures("nothing_loaded")


def specs(root: Path) -> dict[str, DatasetSpec]:
    truth = root / "gt_thumos14.json"
    return {
        "features": found(root),
        "simulated": found(None),
        "simulated on a real timeline": found(None, ground_truth=truth, clicks=root),
    }


SOURCES = ("features", "simulated", "simulated on a real timeline")


def assert_same(left: Annotations | VideoSet, right: Annotations | VideoSet) -> None:
    for field in dataclasses.fields(left):
        one, other = getattr(left, field.name), getattr(right, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)


def assert_same_dataset(left: Dataset, right: Dataset) -> None:
    assert left.classes == right.classes
    for name in ("train", "test", "train_truth", "test_truth"):
        assert_same(getattr(left, name), getattr(right, name))


@pytest.mark.parametrize("source", SOURCES)
def test_truths_are_those_of_the_loaded_dataset_and_need_no_feature(
    root: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = specs(root)[source]
    dataset = load(spec, "A1", (BACKGROUND_CLICKS,))
    LOADED.clear()
    for folder in ("val", "test"):
        shutil.rmtree(root / folder)
    monkeypatch.setattr(loading, "simulate", None)
    train, test = load_truths(spec)
    assert_same(train, dataset.train_truth)
    assert_same(test, dataset.test_truth)
    assert train.classes == dataset.classes
    assert (train.videos, test.videos) == (dataset.train.videos, dataset.test.videos)
    assert load_truths(spec)[0] is train  # kept for the next call


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("annotator", ["A1", "A2"])
def test_shared_arrays_are_those_of_a_dataset_of_ones_own(
    root: Path, tmp_path: Path, source: str, annotator: str
) -> None:
    spec, notes = specs(root)[source], list[str]()
    own = load(spec, annotator, (BACKGROUND_CLICKS,))
    for _ in ("the one that writes", "one that only opens"):
        LOADED.clear()
        shared = load(spec, annotator, (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
        assert_same_dataset(shared, own)
        assert load(spec, "A2", (BACKGROUND_CLICKS,), tmp_path / "shared").train.features is shared.train.features
    assert notes == []
    assert len(list((tmp_path / "shared").glob("*/manifest.json"))) == 1


def test_embedded_clicks_are_shared_too(root: Path, tmp_path: Path) -> None:
    for path in root.glob("clicks_*.txt"):
        path.unlink()
    spec = found(root)
    own = load(spec, "embedded", (BACKGROUND_CLICKS,))
    assert own.train.background_clicks.any()
    assert_same_dataset(load(spec, "embedded", (BACKGROUND_CLICKS,), tmp_path / "shared"), own)


def test_other_content_or_length_is_another_folder(root: Path, tmp_path: Path) -> None:
    def places() -> int:
        return len(list((tmp_path / "shared").glob("*/manifest.json")))

    load(found(root), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared")
    load(found(root, snippets=30), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared")
    assert places() == 2
    change(root / "val" / "video_val_0000.npz", feat_spa=np.full((4, 40), 7, np.float32))
    assert load(found(root), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared").train.features[0, 0, 0] == 7
    assert places() == 3


def test_changed_readers_are_another_version(tmp_path: Path) -> None:
    versions = []
    for changed in (None, "data/features/npz.py", "files/untrusted.py", "metrics/matching.py"):
        package = tmp_path / str(changed).replace("/", "-")
        for folder in ("data", "files", "metrics"):
            shutil.copytree(PACKAGE / folder, package / folder, ignore=shutil.ignore_patterns("__pycache__"))
        if changed:
            (package / changed).write_text((package / changed).read_text() + "# a comment\n")
        versions.append(readers_version(package))
    assert versions[0] == versions[3] == readers_version(PACKAGE)
    assert len(set(versions)) == 3


def test_a_shared_array_cannot_be_written_to_and_becomes_a_tensor_without_a_copy(root: Path, tmp_path: Path) -> None:
    features = load(found(root), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared").train.features
    with pytest.raises(ValueError, match="read-only"):
        features[0, 0, 0] = 1
    assert tensor(features).data_ptr() == features.ctypes.data  # and no warning, which would be an error


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE = {
    "a flipped bit": ("train_features.npy", flip),
    "a file cut short": ("test_features.npy", shorten),
    "a file gone": ("train_labels.npy", Path.unlink),
    "no manifest": ("manifest.json", Path.unlink),
    "half a manifest": ("manifest.json", shorten),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_arrays_are_made_again_and_said(root: Path, tmp_path: Path, damage: str) -> None:
    spec, notes = found(root), list[str]()
    own = load(spec, "A1", (BACKGROUND_CLICKS,))
    load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared")
    name, break_it = DAMAGE[damage]
    (path,) = (tmp_path / "shared").glob(f"*/{name}")
    break_it(path)
    LOADED.clear()
    assert_same_dataset(load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared", notes), own)
    (note,) = notes
    assert note.startswith(f"{path.parent} is damaged (")
    assert note.endswith("); the features were read again")
    load(spec, "A2", (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
    assert len(notes) == 1  # not again for the next trial
    LOADED.clear()
    load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
    assert len(notes) == 1  # whole again


def test_what_a_killed_writer_left_is_replaced(root: Path, tmp_path: Path) -> None:
    spec, notes = found(root), list[str]()
    place = place_of(tmp_path / "shared", spec.fingerprint, spec.snippets)
    unfinished = place.with_name(f"{place.name}.unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / "train_features.npy").write_bytes(b"half")
    load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
    assert (place / "manifest.json").is_file()
    assert not unfinished.exists()
    assert notes == []


def test_without_room_or_right_to_write_every_process_keeps_its_own(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = found(root)
    own = load(spec, "A1", (BACKGROUND_CLICKS,))
    (tmp_path / "file").write_text("")
    usage = shutil.disk_usage(tmp_path)
    for folder, reason in ((tmp_path / "file" / "shared", "Not a directory"), (tmp_path / "full", "No space left")):
        if folder.name == "full":  # nearly full: the arrays would fit, and the trials' checkpoints no more
            monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=own.train.features.nbytes))
        LOADED.clear()
        notes: list[str] = []
        assert_same_dataset(load(spec, "A1", (BACKGROUND_CLICKS,), folder, notes), own)
        (note,) = notes
        assert reason in note
        assert note.endswith("every trial of this machine keeps its own copy of the features")
        assert list(folder.glob("*/*")) == []
