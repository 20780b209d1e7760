"""Layout and timing: the study's, or else those of the data set's file, or else the layout's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tal_search.data.features.timing import Timing
from tal_search.data.find import find
from tests.support.make_dataset import SMALL, problems_of


def test_layout_and_timing_of_the_file_hold_unless_given(tmp_path: Path) -> None:
    root = tmp_path / "features"
    root.mkdir()
    for video in ("a", "b"):
        np.save(root / f"{video}.npy", np.ones((9, 3), np.float32))
    entries = {
        video: {"subset": subset, "duration": 10.0, "annotations": [{"label": "x", "segment": [1, 2]}]}
        for video, subset in (("a", "training"), ("b", "test"))
    }
    (root / "gt_mine.json").write_text(json.dumps({"database": entries}))
    file = tmp_path / "mine.yaml"

    def timing(text: str, root: Path = root, **given: float) -> dict[str, object]:
        file.write_text(text)
        return find("mine", "features", root, None, None, 8, SMALL, timing=Timing(**given), file=file).layout

    whole = "layout: actionformer\nstride: 25\noffset: 25\nfps: 50"
    assert timing(whole) == {"name": "actionformer", "stride": 25, "offset": 25, "fps": 50}
    assert timing(whole, stride=5, fps=10) == {"name": "actionformer", "stride": 5, "offset": 25, "fps": 10}
    assert timing("fps: 50") == {"name": "actionformer", "stride": 4, "offset": 8, "fps": 50}
    assert timing("layout: hdf5\nstride: 25\noffset: 25") == {
        "name": "actionformer",
        "stride": 4,
        "offset": 8,
        "fps": None,
    }
    assert timing("layout: basnet\nstride: 25\noffset: 25")["stride"] == 4


def test_timing_of_a_file_without_a_layout_is_refused_where_npz_files_are_found(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    for text, keys in (("stride: 16\noffset: 8\n", "stride and offset"), ("fps: 25\n", "fps")):
        file.write_text(text)
        (problem,) = problems_of(lambda: find("mine", "features", root, None, None, 8, SMALL, file=file))
        assert problem.startswith(f"{file}: {keys} would not be used, because no layout is named and {root} holds npz")
    file.write_text("layout: actionformer\nstride: 16\noffset: 8\n")
    truth = root / "gt_thumos14.json"
    assert find("mine", "features", root, truth, None, 8, SMALL, file=file).layout["name"] == "backtal"
