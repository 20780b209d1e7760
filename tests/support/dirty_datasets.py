"""Datasets with one fault each, as people's files have them: an edit of the small dataset, and words that name it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from tests.support.make_dataset import change, edit_json

VIDEO = "video_val_0001"


class Dirty(NamedTuple):
    """edit: changes a dataset in BackTAL's layout under a folder; says: words of the first problem, which may hold
    {root}. overrides: further settings of the study. of_study: whether the fault shows only in a study.
    """

    edit: Callable[[Path], object]
    says: str
    overrides: tuple[str, ...] = ()
    of_study: bool = False


def npz(root: Path, video: str = VIDEO) -> Path:
    return root / ("test" if "test" in video else "val") / f"{video}.npz"


def rewritten(**arrays: Any) -> Callable[[Path], object]:
    """An edit that replaces arrays of one training file."""
    return lambda root: change(npz(root), **arrays)


def of_truth(edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    return lambda root: edit_json(root / "gt_thumos14.json", edit)


def clicked(*lines: str) -> Callable[[Path], object]:
    """An edit that adds lines to A1's click file, {video},{second}."""

    def edit(root: Path) -> None:
        with (root / "clicks_background_A1.txt").open("a") as file:
            for line in lines:
                video, second = line.split(",")
                file.write(f"{video},,20,background_background,{second},{second},1,1\n")

    return edit


def clicks_json(content: object) -> Callable[[Path], object]:
    def edit(root: Path) -> None:
        (root / "clicks_background_A1.txt").write_text(json.dumps(content))

    return edit


def truncated(root: Path) -> None:
    content = npz(root).read_bytes()
    npz(root).write_bytes(content[: len(content) // 2])


def link_out(root: Path) -> None:
    npz(root).rename(root.parent / "elsewhere.npz")
    npz(root).symlink_to(root.parent / "elsewhere.npz")


def only_pickles(root: Path) -> None:
    for path in root.glob("*/*.npz"):
        path.rename(root / f"{path.stem}.pkl")


def as_npy(root: Path) -> None:
    """Both streams of each video in one npy file [T, D], a second a snippet of ten frames."""
    for path in sorted(root.glob("*/*.npz")):
        with np.load(path) as file:
            np.save(root / f"{path.stem}.npy", np.concatenate([file["feat_spa"], file["feat_tem"]]).T)
        path.unlink()


def as_hdf5(root: Path) -> None:
    with h5py.File(root / "features.h5", "w") as file:
        for path in sorted(root.glob("*/*.npz")):
            with np.load(path) as arrays:
                file[path.stem] = np.concatenate([arrays["feat_spa"], arrays["feat_tem"]]).T
            path.unlink()


def npy_of(edit: Callable[[Path], object]) -> Callable[[Path], object]:
    """An edit of one npy file, in a dataset of npy files."""

    def both(root: Path) -> None:
        as_npy(root)
        edit(root / f"{VIDEO}.npy")

    return both


def hdf5_of(edit: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    """An edit of the HDF5 file of a dataset."""

    def both(root: Path) -> None:
        as_hdf5(root)
        with h5py.File(root / "features.h5", "a") as file:
            edit(file)

    return both


def cut_hdf5(root: Path) -> None:
    as_hdf5(root)
    path = root / "features.h5"
    path.write_bytes(path.read_bytes()[:-3000])


def replaced(array: Any) -> Callable[[h5py.File], object]:
    def edit(file: h5py.File) -> None:
        del file[VIDEO]
        file[VIDEO] = array

    return edit


def labelled(subset: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: [entry.update(subset=subset) for entry in content["database"].values()]


def relabelled(label: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["database"][VIDEO]["annotations"][0].update(label=label)


def without(key: str) -> Callable[[Path], object]:
    """An edit that takes a key from every video of the ground truth."""
    return of_truth(lambda content: [entry.pop(key) for entry in content["database"].values()])


NPY = ("dataset.stride=10", "dataset.offset=5")
DIRTY = {
    "no folder": Dirty(shutil.rmtree, "no features under {root}, which does not exist"),
    "a file": Dirty(lambda root: (shutil.rmtree(root), root.write_text("x")), "which is a file, not a folder"),
    "pickles": Dirty(only_pickles, "which holds 7 .pkl, 2 .txt and 1 .json; give a folder with val/*.npz"),
    "no test split": Dirty(lambda root: shutil.rmtree(root / "test"), "no test features under {root}, which holds 4 "),
    "not a number": Dirty(rewritten(feat_spa=np.full((4, 40), np.nan, "f4")), "feat_spa has 160 values that are not"),
    "infinite": Dirty(rewritten(feat_tem=np.full((4, 40), np.inf, "f2")), "feat_tem has 160 values that are not"),
    "objects": Dirty(rewritten(feat_spa=np.array([[{}]], object)), "feat_spa is pickled"),
    "integers": Dirty(rewritten(feat_spa=np.ones((4, 40), int)), "feat_spa is int64 of shape (4, 40); expected"),
    "complex": Dirty(rewritten(feat_spa=np.ones((4, 40), complex)), "feat_spa is complex128 of shape (4, 40)"),
    "text": Dirty(rewritten(feat_spa=np.full((4, 40), "x")), "feat_spa is <U1 of shape (4, 40)"),
    "no snippet": Dirty(rewritten(feat_spa=np.ones((4, 0), "f4")), "feat_spa is float32 of shape (4, 0)"),
    "other channels": Dirty(rewritten(feat_spa=np.ones((6, 40), "f4")), "expected 8 feature channels"),
    "other length": Dirty(rewritten(feat_spa=np.ones((4, 43), "f4")), "feat_spa has 43 snippets and feat_tem 40"),
    "exchanged": Dirty(
        rewritten(feat_spa=np.ones((40, 4), "f4"), feat_tem=np.ones((40, 4), "f4"), point_label=None),
        "its axes look exchanged, save it as [channels, snippets]",
    ),
    "empty file": Dirty(lambda root: npz(root).write_bytes(b""), "is truncated or not an npz file"),
    "truncated": Dirty(truncated, "is truncated or not an npz file"),
    "text for a number": Dirty(rewritten(fps="fast"), "fps is fast; give one number above 0, at most 1000"),
    "no features of a video": Dirty(lambda root: npz(root).unlink(), f"no features of 1 video ({VIDEO})"),
    "a video unknown": Dirty(
        of_truth(lambda content: content["database"].pop(VIDEO)), f"1 video ({VIDEO}) not in the subset"
    ),
    "a link": Dirty(link_out, "is a link out of dataset.root={root}; copy the file there"),
    "twice": Dirty(
        lambda root: shutil.copy(npz(root), npz(root).with_stem(f"v_{VIDEO}")), f"are both of video {VIDEO}; keep one"
    ),
    "in both splits": Dirty(
        lambda root: shutil.copy(npz(root), npz(root, "video_test").with_stem(VIDEO)), "not in the subset"
    ),
    "no ground truth": Dirty(lambda root: (root / "gt_thumos14.json").unlink(), "no ground truth (gt_thumos14.json)"),
    "half a ground truth": Dirty(
        lambda root: (root / "gt_thumos14.json").write_text('{"database": {'), "is not a whole JSON file"
    ),
    "one subset": Dirty(of_truth(labelled("val")), "has no test subset"),
    "background": Dirty(of_truth(relabelled("background")), "'background'"),
    "another class": Dirty(of_truth(relabelled("Knitting")), "'Knitting'"),
    "no duration": Dirty(
        lambda root: (rewritten(duration=None)(root), without("duration")(root)),
        "has no duration, and neither has the ground truth",
    ),
    "other classes": Dirty(rewritten(cls_label=np.ones(2), point_label=None), "cls_label has 2 classes"),
    "all durations": Dirty(
        of_truth(lambda content: [entry.update(duration=900) for entry in content["database"].values()]),
        "4 of 4 videos, such as video_val_0000 lasts 40 s in its file and 900 s in the ground truth",
    ),
    "a click beyond": Dirty(clicked(f"{VIDEO},99"), "the click is at 99 s of video_val_0001, which lasts 41 s"),
    "a click before": Dirty(clicked(f"{VIDEO},-1"), "the click is at -1 s of video_val_0001"),
    "a click nowhere": Dirty(clicked(f"{VIDEO},nan"), "the click on video_val_0001 is at 'nan'"),
    "a click elsewhere": Dirty(clicked("video_val_9,1"), "'video_val_9' is not a training video"),
    "both units": Dirty(clicks_json({VIDEO: [1.5, 399]}), "the click is at 399 s of video_val_0001"),
    "no clicks": Dirty(clicks_json({}), "holds no click of a training video"),
    "an annotator": Dirty(
        lambda root: (root / "clicks_background_A1.txt").unlink(), "has 'A1', who has no click file", of_study=True
    ),
    "nothing held out": Dirty(
        lambda root: None, "protocol.holdout_fraction is 0.01, which holds out none",
        ("protocol.selection=holdout", "protocol.holdout_fraction=.01"), of_study=True,
    ),
    "npy of integers": Dirty(npy_of(lambda path: np.save(path, np.ones((40, 8), int))), "the array is int64", NPY),
    "npy of objects": Dirty(npy_of(lambda path: np.save(path, np.array([[{}]]))), "is pickled", NPY),
    "npy empty": Dirty(npy_of(lambda path: path.write_bytes(b"")), "is truncated or not an npy file", NPY),
    "npy without fps": Dirty(
        lambda root: (as_npy(root), without("fps")(root)),
        "its frames a second are unknown", NPY,
    ),
    "npy with an fps that is none": Dirty(
        lambda root: (as_npy(root), of_truth(lambda content: content["database"][VIDEO].update(fps="fast"))(root)),
        "its frames a second are unknown (no fps in the ground truth, or one that is no frame rate)", NPY,
    ),
    "npy of other timing": Dirty(as_npy, "at its stride and fps give 97; give dataset.stride", ("dataset.stride=4",)),
    "hdf5 truncated": Dirty(cut_hdf5, "is damaged or not an HDF5 file"),
    "hdf5 not finite": Dirty(hdf5_of(replaced(np.full((40, 8), np.nan))), "the dataset has 320 values that are not"),
    "hdf5 of complex": Dirty(hdf5_of(replaced(np.ones((40, 8), complex))), "the array is complex128"),
    "hdf5 empty": Dirty(hdf5_of(replaced(h5py.Empty("f4"))), "is empty; write floats"),
    "hdf5 without durations": Dirty(
        lambda root: (as_hdf5(root), without("duration")(root)), "has no duration, and neither has the ground truth"
    ),
    "hdf5 group": Dirty(hdf5_of(lambda file: (file.pop(VIDEO), file.create_group(VIDEO))), "is not a dataset"),
    "hdf5 other channels": Dirty(hdf5_of(replaced(np.ones((40, 9)))), "expected 8 feature channels, got 9"),
    "hdf5 without a video": Dirty(hdf5_of(lambda file: file.pop(VIDEO)), f"no features of 1 video ({VIDEO})"),
}  # fmt: skip
