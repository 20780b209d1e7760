"""Broken, hostile and damaged features in other layouts are refused with one clear error."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.features.hdf5 import videos_of
from tal_search.data.features.layouts import LAYOUTS
from tal_search.data.find import check
from tal_search.errors import InputError
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


@pytest.mark.parametrize("layout", OTHERS)
def test_links_to_outside_the_root_are_refused(backtal: Path, tmp_path: Path, layout: str) -> None:
    root = make_layout(backtal, layout, tmp_path / "x")
    names = {"basnet": "val/flow/video_val_0001.npy", "actionformer": "video_val_0001.npy", "hdf5": "features.h5"}
    name = names[layout]
    (root / name).rename(tmp_path / "elsewhere")
    (root / name).symlink_to(tmp_path / "elsewhere")
    (problem,) = problems_of(lambda: found(root))
    assert "is a link out of dataset.root" in problem


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
