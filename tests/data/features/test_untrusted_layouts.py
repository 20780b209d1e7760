"""Features in other layouts are read without trust: broken, hostile and damaged files are sentences."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tal_search.data.features.hdf5 import videos_of
from tal_search.data.features.layouts import LAYOUTS
from tal_search.data.find import check
from tal_search.errors import InputError
from tal_search.types import DatasetSpec
from tests.support.make_dataset import found, problems_of
from tests.support.make_layouts import OTHERS, change, make_layout, spec_of

BROKEN = {
    "channels": (lambda array: array[:, 1:], "expected 8 feature channels, got 7"),
    "not finite": (lambda array: np.where(array > np.median(array), np.nan, array), "values that are not finite"),
    "beyond float32": (lambda array: array.astype(np.float64) + 1e300, "values that are not finite"),
    "whole numbers": (lambda array: array.astype(np.int64), "is int64 of shape (40, "),
    "three axes": (lambda array: array[None], "expected floats [snippets, channels]"),
    "no snippet": (lambda array: array[:0], "of shape (0, "),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("layout", OTHERS)
def test_a_broken_video_is_one_sentence_that_names_it(backtal: Path, tmp_path: Path, layout: str, case: str) -> None:
    root = make_layout(backtal, layout, tmp_path / "x")
    edit, says = BROKEN[case]
    change(root, layout, edit)
    (problem,) = problems_of(lambda: check(spec_of(root, layout), ("A1",), ()))
    assert "video_val_0001" in problem
    assert says in problem


def test_streams_that_differ_or_lack_their_other_half(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "basnet", tmp_path / "x")
    change(root, "basnet", lambda array: array[1:])
    (problem,) = problems_of(lambda: check(spec_of(root, "basnet"), ("A1",), ()))
    assert "has 40 in rgb and 39 in flow snippets" in problem
    (root / "val" / "flow" / "video_val_0001.npy").unlink()
    (root / "test" / "rgb" / "video_test_0000.npy").unlink()
    problems = problems_of(lambda: found(root))
    assert ["has no file in" in problem for problem in problems] == [True, True]


@pytest.mark.parametrize("layout", ["basnet", "actionformer"])
def test_a_pickled_npy_is_named_and_never_loaded(backtal: Path, tmp_path: Path, layout: str) -> None:
    root = make_layout(backtal, layout, tmp_path / "x")
    change(root, layout, lambda array: np.array([[{}]], object))
    (problem,) = problems_of(lambda: check(spec_of(root, layout), ("A1",), ()))
    assert "is pickled (an object array), which is never loaded" in problem


def test_an_npy_that_claims_more_than_it_holds_takes_no_memory(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "actionformer", tmp_path / "x")
    path = root / "video_val_0001.npy"
    content = path.read_bytes().replace(b"(40, 8), }     ", b"(4000000, 800)}")
    path.write_bytes(content)
    said = peak_of(root, "actionformer")
    assert "claims shape (4000000, 800) of float32 but holds" in said
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # a sparse file of a terabyte
    spec = spec_of_unread(root)
    (problem,) = problems_of(lambda: check(spec, ("A1",), ()))
    assert f"has {1 << 40} bytes, more than features of one video can" in problem


def test_an_npy_header_that_claims_gigabytes_takes_no_memory(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "actionformer", tmp_path / "x")
    path = root / "video_val_0001.npy"
    path.write_bytes(b"\x93NUMPY\x02\x00" + (2_000_000_000).to_bytes(4, "little") + path.read_bytes()[10:])
    assert "has no readable header" in peak_of(root, "actionformer")


def spec_of_unread(root: Path) -> DatasetSpec:
    """A specification whose content was identified before a file changed."""
    other = make_layout(root.parent / "backtal", "actionformer", root.parent / "whole")
    return dataclasses.replace(spec_of(other, "actionformer"), root=str(root))


def peak_of(root: Path, layout: str) -> str:
    """What `check` says of one broken video, in less than 2 MB."""
    spec = spec_of(root, layout)
    tracemalloc.start()
    (problem,) = problems_of(lambda: check(spec, ("A1",), ()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    return problem


def test_an_hdf5_bomb_is_refused_before_it_unpacks(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "hdf5", tmp_path / "x")
    with h5py.File(root / "features.h5", "a") as file:
        del file["video_val_0001"]
        chunk = {"chunks": (1000, 8), "compression": "gzip", "dtype": "f4"}
        file.create_dataset("video_val_0001", shape=(10_000_000, 8), **chunk)[:1000] = 0
    assert "unpacks from" in peak_of(root, "hdf5")


CHUNK = {"shape": (40, 8), "dtype": "f4", "chunks": (40, 8)}
CHUNKED = {  # what is stored in the one chunk, how the dataset is made, what is said
    "inflates beyond its size": (zlib.compress(bytes(1 << 24)), CHUNK | {"compression": "gzip"}, "unpacks to more"),
    "stores more than its size": (bytes(200_000), CHUNK, "unpacks to more than its 1280 bytes"),
    "is larger than its dataset": (
        zlib.compress(bytes(1280)), CHUNK | {"chunks": (10_000_000, 8), "maxshape": (None, 8), "compression": "gzip"},
        "has chunks of 320000000 bytes, more than itself",
    ),
    "is packed twice": (b"", CHUNK | {"scaleoffset": 3, "compression": "gzip"}, "is packed by other filters"),
    "is no gzip": (b"damaged", CHUNK | {"compression": "gzip"}, "is damaged or no HDF5 file"),
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
    assert says in peak_of(root, "hdf5")


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


@pytest.mark.parametrize("layout", OTHERS)
def test_links_to_outside_the_root_are_refused(backtal: Path, tmp_path: Path, layout: str) -> None:
    root = make_layout(backtal, layout, tmp_path / "x")
    names = {"basnet": "val/flow/video_val_0001.npy", "actionformer": "video_val_0001.npy", "hdf5": "features.h5"}
    name = names[layout]
    (root / name).rename(tmp_path / "elsewhere")
    (root / name).symlink_to(tmp_path / "elsewhere")
    (problem,) = problems_of(lambda: found(root))
    assert "is a link to outside dataset.root" in problem


@pytest.mark.parametrize("layout", OTHERS)
def test_damage_is_an_input_error_or_harmless(backtal: Path, tmp_path: Path, layout: str) -> None:
    """Bytes changed anywhere, and files that end anywhere."""
    root = make_layout(backtal, layout, tmp_path / "x")
    path = change(root, layout, lambda array: array)
    video = videos_of(path)["video_val_0001"] if layout == "hdf5" else path
    read = LAYOUTS["hdf5" if layout == "hdf5" else "actionformer"].read
    content, generator = path.read_bytes(), np.random.default_rng(0)
    for step in range(150):
        damaged = bytearray(content)
        for position in generator.integers(len(content), size=3):
            damaged[position] = generator.integers(256)
        path.write_bytes(damaged if step % 2 else content[: generator.integers(len(content))])
        with contextlib.suppress(InputError):  # any other error fails
            read(video, None)
