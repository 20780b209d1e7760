"""The small dataset of `make_dataset` in the other layouts of features, with the same snippets."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.timing import Timing
from tal_search.data.find import check
from tests.support.make_dataset import edit_json, found, problems_of

# Snippets of the small dataset lie every second of its 40 seconds and more: 10 frames at its 10 frames a second.
STRIDE, OFFSET, FPS = 10, 5, 10
OTHERS = ("basnet", "actionformer", "hdf5")
TIMED = Timing(stride=STRIDE, offset=OFFSET, fps=FPS)
EVENLY = Timing()


def make_layout(root: Path, layout: str, to: Path) -> Path:
    """Write the dataset of `root` (BackTAL's layout) in another one to a new folder; gives the folder."""
    to.mkdir(parents=True)
    for path in (*root.glob("*.json"), *root.glob("*.txt")):
        shutil.copy(path, to / path.name)
    edit_json(to / "gt_thumos14.json", _evenly)
    for split in ("val", "test"):
        for path in sorted((root / split).glob("*.npz")):
            with np.load(path) as file:
                spatial, temporal = (file[name].T.astype(np.float32) for name in ("feat_spa", "feat_tem"))
            write_video(to, layout, split, path.stem, spatial, temporal)
    return to


def _evenly(content: dict[str, dict[str, dict[str, object]]]) -> None:
    """Every video lasts 40 s, as long as its 40 snippets."""
    for entry in content["database"].values():
        entry["duration"] = 40.0


def write_video(
    to: Path, layout: str, split: str, name: str, spatial_TD: NDArray[np.float32], temporal_TD: NDArray[np.float32]
) -> None:
    both_TD = np.concatenate([spatial_TD, temporal_TD], 1)
    if layout == "basnet":
        for stream, array in (("rgb", spatial_TD), ("flow", temporal_TD)):
            (to / split / stream).mkdir(parents=True, exist_ok=True)
            np.save(to / split / stream / f"{name}.npy", array)
    elif layout == "actionformer":
        np.save(to / f"{name}.npy", both_TD)
    else:
        with h5py.File(to / "features.h5", "a") as file:
            file.create_dataset(name, data=both_TD, compression="gzip", compression_opts=1)


def change(root: Path, layout: str, edit: Any) -> Path:
    """Replace the features of one video (the flow of it) by what `edit` makes of them; gives the file."""
    if layout == "hdf5":
        with h5py.File(root / "features.h5", "a") as file:
            array = file["video_val_0001"][()]
            del file["video_val_0001"]
            file["video_val_0001"] = edit(array)
        return root / "features.h5"
    path = root / ("val/flow/video_val_0001.npy" if layout == "basnet" else "video_val_0001.npy")
    np.save(path, edit(np.load(path)))
    return path


def spec_of(root: Path, layout: str) -> DatasetSpec:
    """What is found in a dataset that `make_layout` wrote, or in BackTAL's."""
    return found(root, timing=EVENLY if layout in ("backtal", "hdf5") else TIMED)


def problem_in_little_memory(root: Path, layout: str) -> str:
    """The one problem that `check` reports of a broken dataset, in less than 2 MB."""
    spec = spec_of(root, layout)
    tracemalloc.start()
    (problem,) = problems_of(lambda: check(spec, ("A1",), ()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    return problem
