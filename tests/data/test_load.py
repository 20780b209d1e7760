"""Loading a dataset: every array, clicks by annotator, and the real surrogate features."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tal_search.data.features.npz import read_video, rescale
from tal_search.data.find import check, default_annotators, find, load
from tal_search.types import BACKGROUND_CLICKS
from tests.support.make_dataset import CLASSES, SMALL, change, edit_json, found


def test_load_gives_every_array_of_the_contract(root: Path) -> None:
    dataset = load(found(root, snippets=25), "A1", (BACKGROUND_CLICKS,))
    assert dataset.classes == CLASSES
    train, test = dataset.train, dataset.test
    assert train.videos == tuple(f"video_val_{number:04d}" for number in range(4))
    assert (train.features.shape, train.features.dtype) == ((4, 8, 25), np.float16)
    assert (train.labels.shape, train.labels.dtype) == ((4, 3), np.float32)
    assert (train.duration.dtype, train.frames.dtype, train.background_clicks.dtype) == (float, np.int64, bool)
    assert train.frames.tolist() == [400, 410, 420, 430]
    assert not test.background_clicks.any()
    assert dataset.train_truth.videos == train.videos
    assert len(dataset.test_truth.label) == 6
    stored = read_video(root / "val" / "video_val_0002.npz").features
    np.testing.assert_array_equal(train.features[2], rescale(stored, 25).astype(np.float16))


def test_clicks_of_the_annotator_asked_for(root: Path) -> None:
    spec = found(root)
    first, second = load(spec, "A1", (BACKGROUND_CLICKS,)), load(spec, "A2", (BACKGROUND_CLICKS,))
    assert first.train.background_clicks.sum(1).tolist() == [3, 3, 3, 3]
    assert np.flatnonzero(second.train.background_clicks[0]).tolist() == [15]
    assert second.train.features is first.train.features  # read once, not once an annotator
    with np.load(root / "val" / "video_val_0003.npz") as stored:
        np.testing.assert_array_equal(first.train.background_clicks[3], stored["point_label"] == 3)


def test_a_changed_file_is_read_again(root: Path) -> None:
    before = load(found(root), "A1", (BACKGROUND_CLICKS,))
    change(root / "val" / "video_val_0000.npz", feat_spa=np.full((4, 40), 7, np.float32))
    after = load(found(root), "A1", (BACKGROUND_CLICKS,))
    assert after.train.features[0, 0, 0] == 7 != before.train.features[0, 0, 0]


def test_a_video_that_the_annotator_skipped_has_no_click(root: Path) -> None:
    path = root / "clicks_background_A1.txt"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "0001" not in line))
    check(found(root), ("A1",), (BACKGROUND_CLICKS,))
    assert load(found(root), "A1", (BACKGROUND_CLICKS,)).train.background_clicks.sum(1).tolist() == [3, 0, 3, 3]


def test_numbers_missing_in_the_features_come_from_the_ground_truth(root: Path) -> None:
    for file in (root / "val").glob("*.npz"):
        change(file, frame_num=None, fps=None, duration=None)
    check(found(root), ("A1",), (BACKGROUND_CLICKS,))
    train = load(found(root), "A1", (BACKGROUND_CLICKS,)).train
    assert train.duration.tolist() == [40, 41, 42, 43]
    assert train.frames.tolist() == [400, 410, 420, 430]
    edit_json(root / "gt_thumos14.json", lambda content: [video.pop("fps") for video in content["database"].values()])
    assert load(found(root), "A1", (BACKGROUND_CLICKS,)).train.frames.tolist() == [1000, 1025, 1050, 1075]


def test_simulated_set_loads_with_its_clickers() -> None:
    spec = found(None)
    check(spec, tuple(spec.clicks[BACKGROUND_CLICKS]), (BACKGROUND_CLICKS,))
    grids = {
        annotator: load(spec, annotator, (BACKGROUND_CLICKS,)).train.background_clicks
        for annotator in spec.clicks[BACKGROUND_CLICKS]
    }
    assert all(grid.any() for grid in grids.values())
    assert len({grid.tobytes() for grid in grids.values()}) == len(grids)
    assert load(spec, "A1", (BACKGROUND_CLICKS,)).test.features.shape == (20, 8, 40)
    np.testing.assert_array_equal(load(spec, "A1", (BACKGROUND_CLICKS,)).train.background_clicks, grids["A1"])


def test_simulated_features_on_a_real_timeline_with_real_clicks(root: Path) -> None:
    spec = found(None, ground_truth=root / "gt_thumos14.json", clicks=root)
    assert spec.description.startswith("simulated")
    assert "gt_thumos14.json" in spec.description
    assert default_annotators(spec, (BACKGROUND_CLICKS,)) == ("A1", "A2")
    check(spec, ("A1", "A2", "uniform"), (BACKGROUND_CLICKS,))
    dataset = load(spec, "A2", (BACKGROUND_CLICKS,))
    assert dataset.train.videos == dataset.train_truth.videos
    assert dataset.train.background_clicks.sum(1).tolist() == [1, 1, 1, 1]
    assert load(spec, "uniform", (BACKGROUND_CLICKS,)).train.background_clicks.sum() > 4


def test_real_evidence_features(shared: Path) -> None:
    root = shared / "data" / "thumos14_evidence"
    spec = find("thumos14", "features", root, None, None, 750, SMALL)
    assert spec.description.startswith("thumos14_evidence: surrogate features (48 channels, not the 2048 of I3D)")
    assert spec.description.endswith("200 training and 210 test videos; layout backtal")
    assert Path(spec.ground_truth).name == "gt_thumos14.json"
    assert default_annotators(spec, (BACKGROUND_CLICKS,)) == ("A1", "A2", "A3")
    check(spec, default_annotators(spec, (BACKGROUND_CLICKS,)), (BACKGROUND_CLICKS,))
    dataset = load(spec, "A1", (BACKGROUND_CLICKS,))
    assert dataset.train.features.shape == (200, 48, 750)
    assert dataset.test.features.shape == (210, 48, 750)
    assert len(dataset.test_truth.label) == 3311
    for row, name in enumerate(dataset.train.videos):
        with np.load(root / "val" / f"{name}.npz") as stored:
            np.testing.assert_array_equal(dataset.train.background_clicks[row], stored["point_label"] == 20)
