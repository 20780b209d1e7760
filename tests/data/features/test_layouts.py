"""Every layout gives the same videos on the same time axis, and is recognised by its files."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from tal_search.data.features.layouts import LAYOUTS, timed
from tal_search.data.features.timing import Timing
from tal_search.data.find import check, load
from tal_search.data.load import LOADED
from tal_search.errors import InputError
from tal_search.study import load_study
from tal_search.types import BACKGROUND_CLICKS
from tests.support.make_dataset import change as change_npz
from tests.support.make_dataset import edit_json, found, problems_of
from tests.support.make_layouts import OTHERS, change, make_layout, spec_of


@pytest.mark.parametrize("layout", OTHERS)
def test_the_same_snippets_give_the_same_videos_whatever_the_layout(backtal: Path, tmp_path: Path, layout: str) -> None:
    spec = spec_of(make_layout(backtal, layout, tmp_path / layout), layout)
    assert f"; layout {layout}" in spec.description
    check(spec, ("A1",), (BACKGROUND_CLICKS,))
    ours, theirs = load(spec, "A2", (BACKGROUND_CLICKS,)), load(found(backtal), "A2", (BACKGROUND_CLICKS,))
    for mine, reference in ((ours.train, theirs.train), (ours.test, theirs.test)):
        assert mine.videos == reference.videos
        np.testing.assert_allclose(mine.features, reference.features, atol=1e-6)
        np.testing.assert_array_equal(mine.labels, reference.labels)
        assert (mine.duration == 40).all()
        assert (mine.frames == 400).all()
    assert ours.train.background_clicks.sum() == theirs.train.background_clicks.sum() > 0


def test_frames_a_second_of_each_video_are_those_of_the_ground_truth(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "actionformer", tmp_path / "x")
    (problem,) = problems_of(lambda: load(found(root, timing=Timing(stride=20)), "A1", ()))[:1]
    assert "snippets; 40 s at its stride and fps give" in problem
    spec = found(root, timing=Timing(stride=10, offset=5))
    assert "snippet i at (10·i + 5)/fps s" in spec.description
    check(spec, ("A1",), ())
    edit_json(root / "gt_thumos14.json", lambda content: [video.pop("fps") for video in content["database"].values()])
    problems = problems_of(lambda: check(found(root, timing=Timing(stride=10, offset=5)), ("A1",), ()))
    assert all("its frames a second are unknown" in problem for problem in problems)
    assert len(problems) == 2, "one sentence a split, however many videos it has"
    assert "(also 3 other files: video_val_0001.npy, video_val_0002.npy, video_val_0003.npy)" in problems[0]


@pytest.mark.parametrize(
    ("layout", "asked", "says"),
    [
        ("backtal", Timing(stride=4), "dataset.stride is given, but npz files of BackTAL cover a video evenly"),
        ("hdf5", Timing(fps=25), "dataset.fps needs dataset.stride"),
        ("hdf5", Timing(stride=4), "dataset.stride needs dataset.offset"),
    ],
)
def test_timing_that_does_not_go_with_a_layout_is_refused(layout: str, asked: Timing, says: str) -> None:
    (problem,) = problems_of(lambda: timed(LAYOUTS[layout], asked))
    assert says in problem


def test_the_layout_may_be_named_where_a_folder_holds_several(backtal: Path, tmp_path: Path) -> None:
    make_layout(backtal, "hdf5", tmp_path / "x")
    shutil.copy(tmp_path / "x" / "features.h5", backtal)
    assert found(backtal).layout["name"] == "backtal"
    assert found(backtal, wanted="hdf5").layout["name"] == "hdf5"
    assert found(backtal).fingerprint != found(backtal, wanted="hdf5").fingerprint
    (problem,) = problems_of(lambda: found(backtal, wanted="actionformer"))
    assert "has no VIDEO.npy" in problem
    study = load_study("thumos_single", ["dataset.layout=hdf5", "dataset.stride=8", "dataset.offset=4"])
    assert (study.dataset.layout, study.dataset.stride) == ("hdf5", 8)
    with pytest.raises(InputError, match=r"dataset\.layout is \"npz\".*must be one of auto, backtal, basnet"):
        load_study("thumos_single", ["dataset.layout=npz"])


def test_an_hdf5_file_may_itself_be_the_root(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "hdf5", tmp_path / "x")
    assert found(root / "features.h5").fingerprint == found(root).fingerprint
    shutil.copy(root / "features.h5", root / "more.hdf5")
    (problem,) = problems_of(lambda: found(root))
    assert "has 2 HDF5 files (features.h5, more.hdf5); give the one to read as dataset.root" in problem


def test_a_split_file_chooses_among_the_videos_of_a_folder(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "basnet", tmp_path / "x")
    (root / "split_test.txt").write_text("video_test_0000\nvideo_test_0002\n")
    (problem,) = problems_of(lambda: check(spec_of(root, "basnet"), ("A1",), ()))
    assert "no features of 1 video (video_test_0001)" in problem
    edit_json(root / "gt_thumos14.json", lambda content: content["database"].pop("video_test_0001"))
    assert "3 test videos" not in spec_of(root, "basnet").description
    check(spec_of(root, "basnet"), ("A1",), ())


def test_other_videos_beside_those_of_the_ground_truth_are_left_alone(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "actionformer", tmp_path / "x")
    shutil.copy(root / "video_val_0000.npy", root / "video_unknown.npy")
    assert "4 training and 3 test videos" in spec_of(root, "actionformer").description
    (note,) = check(spec_of(root, "actionformer"), ("A1",), ())
    assert note == f"{root}: 1 video (video_unknown) in no training or test subset of gt_thumos14.json; not read"


@pytest.mark.parametrize("layout", ["backtal", "actionformer", "hdf5"])
def test_two_files_of_one_video_are_refused(backtal: Path, tmp_path: Path, layout: str) -> None:
    root = backtal if layout == "backtal" else make_layout(backtal, layout, tmp_path / "x")
    if layout == "hdf5":
        with h5py.File(root / "features.h5", "a") as file:
            file["v_video_val_0001"] = file["video_val_0001"][()]
    else:
        path = next(root.glob("**/video_val_0001.np?"))
        shutil.copy(path, path.with_name(f"v_{path.name}"))
    (problem,) = problems_of(lambda: found(root))
    assert "are both of video video_val_0001; keep one" in problem


@pytest.mark.parametrize("layout", ["backtal", "actionformer"])
def test_files_may_have_the_prefix_that_activitynet_gives_them(backtal: Path, tmp_path: Path, layout: str) -> None:
    root = backtal if layout == "backtal" else make_layout(backtal, layout, tmp_path / "x")
    before = load(spec_of(root, layout), "A1", ())
    for path in root.glob("**/*.np?"):
        if layout == "backtal":
            change_npz(path, vid_name=f"v_{path.stem}" if "test" in path.stem else path.stem)
        path.rename(path.with_name(f"v_{path.name}"))
    LOADED.clear()  # the renamed files have the same fingerprint
    check(spec_of(root, layout), ("A1",), ())
    after = load(spec_of(root, layout), "A1", ())
    assert after.train.videos == before.train.videos
    np.testing.assert_array_equal(after.train.features, before.train.features)


@pytest.mark.parametrize("layout", OTHERS)
def test_changed_features_are_another_dataset(backtal: Path, tmp_path: Path, layout: str) -> None:
    root = make_layout(backtal, layout, tmp_path / "x")
    before = spec_of(root, layout).fingerprint
    assert spec_of(root, layout).fingerprint == before
    change(root, layout, lambda array: array + 1)
    assert spec_of(root, layout).fingerprint != before
