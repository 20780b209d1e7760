"""Videos with their stored snippets: features, times, clicks of every kind, shared arrays and folds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.dataset_spec import AS_STORED, DatasetSpec
from tal_search.data.find import load
from tal_search.data.load import LOADED
from tal_search.data.supervision import clicks_made
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, CLICKS, INSTANCES, VIDEO_LABELS, Dataset, VideoSet
from tests.support.make_dataset import change, found
from tests.support.native_dataset import SNIPPETS, native_spec
from tests.support.own_dataset import FPS, STRIDE, WINDOW
from tests.support.subjects import with_folds

STORED = {"training": {"kind": "native"}, "test": {"kind": "native"}}
EVERYTHING = (VIDEO_LABELS, BACKGROUND_CLICKS, ACTION_CLICKS, INSTANCES)


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    LOADED.clear()
    yield
    LOADED.clear()


def arrays_of(videos: VideoSet) -> dict[str, np.ndarray]:
    every = {field.name: getattr(videos, field.name) for field in dataclasses.fields(videos)}
    return {name: array for name, array in every.items() if array is not None}


def assert_same(one: Dataset, other: Dataset) -> None:
    for split in ("train", "test"):
        left, right = arrays_of(getattr(one, split)), arrays_of(getattr(other, split))
        assert left.keys() == right.keys()
        for name, array in left.items():
            np.testing.assert_array_equal(array, right[name], err_msg=name)


def test_every_video_has_the_snippets_of_its_file_at_their_times(tmp_path: Path) -> None:
    spec = native_spec(tmp_path / "moves")
    assert (spec.kept_snippets, spec.snippets) == (AS_STORED, SNIPPETS)
    dataset = load(spec, "S1", EVERYTHING)
    for videos in (dataset.train, dataset.test):
        assert videos.length is not None
        assert len(set(videos.length.tolist())) > 1
        for row, name in enumerate(videos.videos):
            stored = np.load(tmp_path / "moves" / f"{name}.npy").T
            length = int(videos.length[row])
            assert stored.shape[1] == length
            np.testing.assert_allclose(videos.features[row, :, :length], stored, atol=2e-3)
            assert not videos.features[row, :, length:].any()
            middles = videos.timeline.seconds(np.full(length, row), np.arange(length) + 0.5)
            assert middles == pytest.approx((np.arange(length) * STRIDE + WINDOW / 2) / FPS)


@pytest.mark.parametrize("kind", CLICKS)
def test_drawn_clicks_are_in_the_snippet_whose_time_holds_them(tmp_path: Path, kind: str) -> None:
    spec = native_spec(tmp_path / "moves")
    dataset = load(spec, "S1", EVERYTHING)
    seconds = dict(zip(dataset.train.videos, dataset.train.duration.tolist(), strict=True))
    clicks = clicks_made(spec, kind, "S1", seconds, dataset.train_truth, dataset.test_truth)
    assert clicks is not None
    assert_held(dataset.train, kind, clicks.video, clicks.time)


def assert_held(videos: VideoSet, kind: str, row: np.ndarray, time: np.ndarray) -> None:
    """Each click's snippet is the one that covers its second, or the nearest; no other snippet has a click."""
    marked = videos.background_clicks if kind == BACKGROUND_CLICKS else videos.action_clicks.any(1)
    step, start = videos.timeline.step[row], videos.timeline.start[row]
    assert videos.length is not None
    expected = np.clip(np.floor((time - start) / step), 0, videos.length[row] - 1).astype(int)
    assert set(zip(row.tolist(), expected.tolist(), strict=True)) == set(map(tuple, np.argwhere(marked).tolist()))


def shortened(root: Path) -> DatasetSpec:
    """The small dataset of npz files, one training video cut to 25 of its 40 snippets; sampled as stored."""
    path = root / "val" / "video_val_0001.npz"
    with np.load(path) as file:
        cut = {
            name: array.take(np.arange(25), axis=array.shape.index(40))
            for name, array in file.items()
            if 40 in array.shape
        }
    change(path, **cut)
    return dataclasses.replace(found(root), sampling=STORED)


@pytest.mark.parametrize(("annotator", "seconds"), [("A1", (2.0, 16.0, 35.0)), ("A2", (15.5,))])
def test_clicks_of_a_file_are_in_the_snippet_whose_time_holds_them(
    root: Path, annotator: str, seconds: tuple[float, ...]
) -> None:
    videos = load(shortened(root), annotator, (BACKGROUND_CLICKS,)).train
    assert videos.length is not None
    assert sorted(set(videos.length.tolist())) == [25, 40]
    row, time = np.repeat(np.arange(4), len(seconds)), np.tile(seconds, 4)
    assert_held(videos, BACKGROUND_CLICKS, row, time)


def test_clicks_in_the_files_stay_in_their_snippets(root: Path) -> None:
    for path in root.glob("clicks_*"):
        path.unlink()
    spec = shortened(root)
    videos = load(spec, "embedded", (BACKGROUND_CLICKS,)).train
    for row, name in enumerate(videos.videos):
        with np.load(root / "val" / f"{name}.npz") as file:
            stored = file["point_label"] >= 0
        assert videos.background_clicks[row, : len(stored)].tolist() == stored.tolist()
        assert not videos.background_clicks[row, len(stored) :].any()


def test_instances_are_at_their_positions(tmp_path: Path) -> None:
    dataset = load(native_spec(tmp_path / "moves"), "S1", EVERYTHING)
    videos, rows = dataset.train, np.arange(len(dataset.train.videos))
    seconds = videos.timeline.seconds(rows, videos.segments.astype(np.float64))
    for row, name in enumerate(videos.videos):
        mine = dataset.train_truth.segment[dataset.train_truth.video == dataset.train_truth.videos.index(name)]
        assert seconds[row][videos.segment_labels[row] >= 0] == pytest.approx(mine, abs=1e-4)


@pytest.mark.parametrize("damaged", ["train_length.npy", "test_start.npy", "train_extent.npy"])
def test_shared_arrays_keep_the_times_and_are_made_again_where_damaged(tmp_path: Path, damaged: str) -> None:
    spec, notes = native_spec(tmp_path / "moves"), list[str]()
    own = load(spec, "S1", EVERYTHING)
    for _ in range(2):  # made, then mapped
        LOADED.clear()
        assert_same(load(spec, "S1", EVERYTHING, tmp_path / "shared", notes), own)
    assert not notes
    (path,) = (tmp_path / "shared").glob(f"*/{damaged}")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    LOADED.clear()
    assert_same(load(spec, "S1", EVERYTHING, tmp_path / "shared", notes), own)
    assert "is damaged" in notes[0]
    rescaled = dataclasses.replace(spec, sampling={})
    assert load(rescaled, "S1", EVERYTHING, tmp_path / "shared").train.length is None, "another folder"
    assert len([place for place in (tmp_path / "shared").iterdir() if place.is_dir()]) == 2


def test_folds_join_videos_of_both_subsets_with_their_lengths_and_times(tmp_path: Path) -> None:
    spec = native_spec(tmp_path / "moves")
    whole = load(spec, "S1", EVERYTHING)
    assert whole.train.features.shape[2] != whole.test.features.shape[2], "the subsets are padded differently"
    folded = with_folds(spec, 3, by=r"subj\d+")
    known = _by_video(whole.train) | _by_video(whole.test)
    for fold in range(3):
        dataset = load(dataclasses.replace(folded, fold=fold), "S1", EVERYTHING)
        assert _by_video(dataset.train) | _by_video(dataset.test) == known
        assert dataset.train.segments.shape[1] == 2
        row, time = _clicked(dataset.train)
        assert ((time >= 0) & (time <= dataset.train.duration[row])).all()
        assert row.size


def _by_video(videos: VideoSet) -> dict[str, tuple[object, ...]]:
    """Features without padding, length and times of each video."""
    times = videos.timeline
    return {
        name: (
            videos.features[row, :, : times.length[row]].astype(np.float32).tobytes(),
            *(float(column[row]) for column in (times.length, times.start, times.extent)),
        )
        for row, name in enumerate(videos.videos)
    }


def _clicked(videos: VideoSet) -> tuple[np.ndarray, np.ndarray]:
    """Rows and seconds of all background clicks."""
    row, snippet = np.nonzero(videos.background_clicks)
    return row, videos.timeline.seconds(row, snippet + 0.5)
