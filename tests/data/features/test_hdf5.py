"""Features in an HDF5 file: packed chunks, links, and data kept elsewhere."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tal_search.data.features.hdf5 import read_video, videos_of
from tal_search.data.features.layouts import LAYOUTS
from tal_search.data.find import check
from tests.support.make_dataset import problems_of
from tests.support.make_layouts import make_layout, problem_in_little_memory, spec_of


def test_an_hdf5_bomb_is_refused_before_it_unpacks(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "hdf5", tmp_path / "x")
    with h5py.File(root / "features.h5", "a") as file:
        del file["video_val_0001"]
        chunk = {"chunks": (1000, 8), "compression": "gzip", "dtype": "f4"}
        file.create_dataset("video_val_0001", shape=(10_000_000, 8), **chunk)[:1000] = 0
    assert "unpacks from" in problem_in_little_memory(root, "hdf5")


CHUNK = {"shape": (40, 8), "dtype": "f4", "chunks": (40, 8)}
CHUNKED = {  # what is stored in the one chunk, how the dataset is made, what is said
    "inflates beyond its size": (zlib.compress(bytes(1 << 24)), CHUNK | {"compression": "gzip"}, "unpacks to more"),
    "stores more than its size": (bytes(200_000), CHUNK, "unpacks to more than its 1280 bytes"),
    "is larger than its dataset": (
        zlib.compress(bytes(1280)), CHUNK | {"chunks": (10_000_000, 8), "maxshape": (None, 8), "compression": "gzip"},
        "has chunks of 320000000 bytes, more than itself",
    ),
    "is packed twice": (b"", CHUNK | {"scaleoffset": 3, "compression": "gzip"}, "is packed by other filters"),
    "is no gzip": (b"damaged", CHUNK | {"compression": "gzip"}, "is damaged or not an HDF5 file"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHUNKED)
def test_an_hdf5_chunk_that_unpacks_to_more_than_it_should_is_refused(backtal: Path, tmp_path: Path, case: str) -> None:
    root = make_layout(backtal, "hdf5", tmp_path / "x")
    stored, made, says = CHUNKED[case]
    with h5py.File(root / "features.h5", "a") as file:
        del file["video_val_0001"]
        dataset = file.create_dataset("video_val_0001", **made)
        if stored:
            dataset.id.write_direct_chunk((0, 0), stored)
        else:
            dataset[:] = 1
    assert says in problem_in_little_memory(root, "hdf5")


@pytest.mark.parametrize("packed", [{"fletcher32": True}, {"compression": "lzf", "shuffle": True},
                                    {"compression": "gzip", "shuffle": True, "fletcher32": True}])  # fmt: skip
def test_the_ways_in_which_h5py_packs_features_are_read(tmp_path: Path, packed: dict[str, Any]) -> None:
    features_TD = np.random.default_rng(0).standard_normal((400, 64)).astype(np.float32)
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_dataset("v", data=features_TD, **packed)
        file.create_dataset("growing", data=features_TD, maxshape=(None, 64), **packed)
    for path in videos_of(tmp_path / "features.h5").values():
        np.testing.assert_array_equal(LAYOUTS["hdf5"].read(path, None).features, features_TD.T)


@pytest.mark.parametrize("kind", ["external link", "soft link", "group", "external data", "virtual", "empty"])
def test_an_hdf5_video_that_lies_elsewhere_is_refused(backtal: Path, tmp_path: Path, kind: str) -> None:
    root = make_layout(backtal, "hdf5", tmp_path / "x")
    shutil.copy(root / "features.h5", tmp_path / "secret.h5")
    (tmp_path / "raw.bin").write_bytes(bytes(40 * 8 * 4))
    with h5py.File(root / "features.h5", "a") as file:
        del file["video_val_0001"]
        if kind == "external link":
            file["video_val_0001"] = h5py.ExternalLink("../secret.h5", "/video_val_0001")
        elif kind == "soft link":
            file["video_val_0001"] = h5py.SoftLink("/video_val_0000")
        elif kind == "group":
            file.create_group("video_val_0001/inner")
        elif kind == "external data":
            external = [(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset("video_val_0001", (40, 8), "f4", external=external)
        elif kind == "virtual":
            layout = h5py.VirtualLayout((40, 8), "f4")
            layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "video_val_0001", shape=(40, 8))
            file.create_virtual_dataset("video_val_0001", layout)
        else:
            file.create_dataset("video_val_0001", data=h5py.Empty("f4"))
    (problem,) = problems_of(lambda: check(spec_of(root, "hdf5"), ("A1",), ()))
    says = {"external link": "is a link", "soft link": "is a link", "group": "is not a dataset", "empty": "is empty"}
    assert problem.startswith(f"{root}/features.h5/video_val_0001: {says.get(kind, 'keeps its data in another file')}")


ATTRIBUTES = {"frame_num": 410, "fps": 10.0, "duration": 41.0, "stride": 4, "offset": 0}


@pytest.mark.parametrize(
    "kind",
    [float, str, lambda value: np.bytes_(str(value)), lambda value: np.array([value]), lambda value: [str(value)]],
)
def test_attributes_state_numbers_also_as_text(tmp_path: Path, kind: Any) -> None:
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.attrs["fps"] = "30"  # of all videos that do not state their own
        for name in "ab":
            file[name] = np.ones((40, 8), "f4")
        for name, value in ATTRIBUTES.items():
            file["b"].attrs[name] = kind(value)
    video = read_video(tmp_path / "features.h5" / "b")
    assert (video.frames, video.fps, video.duration, video.stride, video.offset) == (410, 10, 41, 4, 0)
    other = read_video(tmp_path / "features.h5" / "a")
    assert (other.frames, other.fps, other.duration, other.stride, other.offset) == (None, 30, None, None, None)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("fast", "fps is fast; give one number above 0, at most 1000"),
        (b"\xff", "fps is"),
        ([10, 20], "fps is int64 of shape (2,)"),
        (h5py.Empty("f4"), "fps is float32 of shape None"),
        (np.bytes_(b"3" * 2000), "fps is |S2000 of shape ()"),
        (float("nan"), "fps is nan"),
        (-1, "fps is -1"),
        (np.True_, "fps is True"),
    ],
)
def test_attributes_that_are_no_numbers_are_named(tmp_path: Path, value: Any, says: str) -> None:
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_dataset("a", data=np.ones((40, 8), "f4")).attrs["fps"] = value
    (problem,) = problems_of(lambda: read_video(tmp_path / "features.h5" / "a"))
    assert problem.startswith(f"{tmp_path}/features.h5/a: {says}")


def test_an_attribute_that_refers_elsewhere_is_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "features.h5", "w") as file:
        dataset = file.create_dataset("a", data=np.ones((40, 8), "f4"))
        dataset.attrs.create("fps", dataset.ref, dtype=h5py.ref_dtype)
    (problem,) = problems_of(lambda: read_video(tmp_path / "features.h5" / "a"))
    assert "fps is a reference; give one number" in problem
