"""Features in npy files: streams, headers that lie, and checksums."""

from __future__ import annotations

import dataclasses
import zlib
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.npy import checksum, read_shape, read_streams, streams_shape
from tal_search.data.find import check
from tal_search.errors import InputError
from tests.support.make_dataset import found, problems_of
from tests.support.make_layouts import change, make_layout, problem_in_little_memory, spec_of


def test_streams_that_differ_or_lack_their_other_half(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "basnet", tmp_path / "x")
    change(root, "basnet", lambda array: array[2:])
    (problem,) = problems_of(lambda: check(spec_of(root, "basnet"), ("A1",), ()))
    assert "has 40 in rgb and 38 in flow snippets" in problem
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
    said = problem_in_little_memory(root, "actionformer")
    assert "claims shape (4000000, 800) of float32 but holds" in said
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # a sparse file of a terabyte
    spec = spec_of_unread(root)
    (problem,) = problems_of(lambda: check(spec, ("A1",), ()))
    assert f"has {1 << 40} bytes, too many for the features of one video" in problem


def test_an_npy_header_that_claims_gigabytes_takes_no_memory(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "actionformer", tmp_path / "x")
    path = root / "video_val_0001.npy"
    path.write_bytes(b"\x93NUMPY\x02\x00" + (2_000_000_000).to_bytes(4, "little") + path.read_bytes()[10:])
    assert "has no readable header" in problem_in_little_memory(root, "actionformer")


def spec_of_unread(root: Path) -> DatasetSpec:
    """A specification whose content was identified before a file changed."""
    other = make_layout(root.parent / "backtal", "actionformer", root.parent / "whole")
    return dataclasses.replace(spec_of(other, "actionformer"), root=str(root))


def test_a_checksum_is_of_the_whole_file_and_follows_a_change(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    for content in (b"a" * 3_000_000, b"b" * 3_000_000, b"b" * 2_999_999 + b"c"):
        path.write_bytes(content)
        assert checksum(path) == zlib.crc32(content)
    path.unlink()
    with pytest.raises(InputError, match=r"v\.npy: cannot be read \(No such file"):
        checksum(path)


def test_both_streams_are_read_side_by_side(backtal: Path, tmp_path: Path) -> None:
    root = make_layout(backtal, "basnet", tmp_path / "x")
    path = root / "val" / "rgb" / "video_val_0001.npy"
    video = read_streams(path, 8)
    np.testing.assert_array_equal(video.features[:4], np.load(path).T)
    np.testing.assert_array_equal(video.features[4:], np.load(root / "val" / "flow" / path.name).T)
    assert (read_shape(path).channels, streams_shape(path)) == (4, (8, 40, 4))
    assert video.labels is video.duration is None
