"""Layouts of features on disk, recognised by the files in a folder.

A video is a path: an npz or npy file, or FILE.h5/VIDEO. In a layout with timing (stride, offset, frames per second),
snippet i is centred at (i·stride + offset)/fps seconds; in the others T0 snippets cover the video evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tal_search.data.data_folder import feature_files, holds, split_folders, subset_by_video, subsets_and_fps
from tal_search.data.definition import SplitNames
from tal_search.data.features import hdf5, npy, npz
from tal_search.data.features.plausibility import grouped
from tal_search.data.features.stored import StoredShape, VideoFile
from tal_search.data.features.timing import AS_LAYOUT, Timing
from tal_search.data.truth.labels import split_name
from tal_search.errors import InputError, Problems

AUTO = "auto"
EVEN = "backtal"  # the layout that has no timing
I3D_CHANNELS = 2048  # of RGB and flow together
PREFIX = "v_"  # of file names, where the ground truth names videos without it


class Split(NamedTuple):
    """A folder (or file) and the videos in it. others: videos in it of neither the training nor the test split."""

    folder: Path
    files: dict[str, Path]
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FeatureLayout:
    """One layout. is_in: whether a root holds it, for splits of these names. splits: training and test videos, or all
    videos twice where one folder has both (`together`). axes: the order of a stored array's. joined: D of an array that
    holds RGB and then flow, half each; None where the layout has none.

    `content` (JSON values) changes when a video's features do. splits, read, shape and content raise InputError.
    """

    name: str
    is_in: Callable[[Path, SplitNames], bool]
    splits: Callable[[Path, SplitNames], tuple[Split, Split]]
    read: Callable[[Path, int | None], VideoFile]
    shape: Callable[[Path], StoredShape]
    content: Callable[[Path], object]
    timing: Timing = AS_LAYOUT
    together: bool = False
    axes: str = "[snippets, channels]"
    joined: int | None = None


def has_npz(folder: Path) -> bool:
    return holds(folder, "*.npz")


def _has_streams(folder: Path) -> bool:
    return holds(folder / "rgb", "*.npy") and holds(folder / "flow", "*.npy")


def _both(has: Callable[[Path], bool]) -> Callable[[Path, SplitNames], bool]:
    return lambda root, names: None not in split_folders(root, names, has)


def _npz_splits(root: Path, names: SplitNames) -> tuple[Split, Split]:
    problems = Problems()
    splits = []
    for folder in _folders(root, names, has_npz, "*.npz"):
        with problems.gather():
            splits.append(Split(folder, feature_files(folder, root)))
    problems.raise_if_any()
    return splits[0], splits[1]


def _stream_splits(root: Path, names: SplitNames) -> tuple[Split, Split]:
    problems = Problems()
    splits = []
    for folder in _folders(root, names, _has_streams, "rgb/*.npy"):
        with problems.gather():
            rgb, flow = (feature_files(folder / part, root, "*.npy") for part in ("rgb", "flow"))
            listed = _listed(root, folder.name)
            for files, other, missing in ((rgb, flow, "flow"), (flow, rgb, "rgb")):
                alone = [video for video in files if video not in other and (listed is None or video in listed)]
                lacking = f"has no file in {folder / missing}; extract it"
                problems.extend(grouped((files[video], f"{files[video]}: {lacking}") for video in alone))
            splits.append(Split(folder, {video: rgb[video] for video in rgb if listed is None or video in listed}))
    problems.raise_if_any()
    return splits[0], splits[1]


def _listed(root: Path, split: str) -> set[str] | None:
    """The videos that split_NAME.txt lists, one a line, in `root` or beside it; None without such a file."""
    for place in (root, root.parent):
        path = place / f"split_{split}.txt"
        if path.is_file():
            try:
                return set(path.read_text(encoding="utf-8-sig").split())
            except (OSError, UnicodeDecodeError):
                raise InputError(f"{path}: is not readable text; give one video a line") from None
    return None


def _folders(root: Path, names: SplitNames, has: Callable[[Path], bool], pattern: str) -> tuple[Path, Path]:
    train, test = split_folders(root, names, has)
    if train is None or test is None:
        missing = "features" if train is test else "training features" if train is None else "test features"
        raise InputError(f"{root} has no {missing} ({pattern} in a folder named after the split); put them there")
    return train, test


def _npy_splits(root: Path, names: SplitNames) -> tuple[Split, Split]:  # noqa: ARG001 - one folder holds both splits
    split = Split(root, feature_files(root, root, "*.npy"))
    if not split.files:
        raise InputError(f"{root} has no VIDEO.npy; put them there")
    return split, split


def _hdf5_splits(root: Path, names: SplitNames) -> tuple[Split, Split]:  # noqa: ARG001 - one file holds both splits
    files = _hdf5_files(root)
    if len(files) != 1:
        listed = ", ".join(path.name for path in files) or "none"
        raise InputError(f"{root} has {len(files)} HDF5 files ({listed}); give the one to read as dataset.root")
    inside = root if root.is_dir() else root.parent
    if not files[0].resolve().is_relative_to(inside.resolve()):
        raise InputError(f"{files[0]} is a link out of dataset.root={root}; copy the file there")
    split = Split(files[0], hdf5.videos_of(files[0]))
    return split, split


def _hdf5_files(root: Path) -> list[Path]:
    paths = sorted(root.iterdir()) if root.is_dir() else [root]
    return [path for path in paths if path.suffix in hdf5.SUFFIXES and path.is_file()]


LAYOUTS = {
    layout.name: layout
    for layout in (
        FeatureLayout(
            name=EVEN,
            is_in=_both(has_npz),
            splits=_npz_splits,
            read=npz.read_video,
            shape=npz.read_shape,
            content=npz.content_of,
            axes="[channels, snippets]",
        ),
        FeatureLayout(
            name="basnet",
            is_in=_both(_has_streams),
            splits=_stream_splits,
            read=npy.read_streams,
            shape=npy.streams_shape,
            content=lambda path: [npy.checksum(part) for part in npy.both_streams(path)],
            timing=Timing(stride=16, offset=8, fps=25),
        ),
        FeatureLayout(
            name="hdf5",
            is_in=lambda root, _: bool(_hdf5_files(root)),
            splits=_hdf5_splits,
            read=hdf5.read_video,
            shape=hdf5.read_shape,
            content=lambda path: npy.checksum(path.parent),
            together=True,
        ),
        FeatureLayout(
            name="actionformer",
            is_in=lambda root, _: holds(root, "*.npy"),
            splits=_npy_splits,
            read=npy.read_video,
            shape=npy.read_shape,
            content=npy.checksum,
            timing=Timing(stride=4, offset=8),
            together=True,
            joined=I3D_CHANNELS,
        ),
    )
}
NAMES = (AUTO, *LAYOUTS, "converted")  # the last one is written by `features.cache.convert`


def detect(root: Path, names: SplitNames, wanted: str) -> FeatureLayout | None:
    """The layout named `wanted`, or for `auto` the first of LAYOUTS that `root` holds; None where it holds none."""
    if wanted != AUTO:
        return LAYOUTS[wanted]
    return next((layout for layout in LAYOUTS.values() if layout.is_in(root, names)), None)


def timed(layout: FeatureLayout, asked: Timing) -> FeatureLayout:
    """The layout with the timing settings of a study. Raises InputError where they do not fit the layout."""
    given = {name: value for name, value in vars(asked).items() if value is not None}
    timing = replace(layout.timing, **given)
    if layout.name == EVEN and given:
        raise InputError(
            f"dataset.{next(iter(given))} is given, but npz files of BackTAL cover a video evenly; remove it"
        )
    if timing.stride is None and given:
        raise InputError(f"dataset.{next(iter(given))} needs dataset.stride, frames from one snippet to the next")
    if timing.stride is not None and timing.offset is None:
        raise InputError("dataset.stride needs dataset.offset, the frame that the first snippet is centred at")
    return replace(layout, timing=timing)


def split_files(layout: FeatureLayout, root: Path, names: SplitNames, truth: Path) -> tuple[Split, Split]:
    """Training and test videos by their names in the ground truth, whose subsets part a folder that holds both.

    Raises InputError as the layout's `splits`.
    """
    splits = layout.splits(root, names)
    if not layout.together and not any(video.startswith(PREFIX) for split in splits for video in split.files):
        return splits
    subset_of = subset_by_video(truth)
    train, test = (Split(split.folder, _named(split.files, subset_of)) for split in splits)
    if not layout.together:
        return train, test
    wanted = [split_name(subset) for subset in subsets_and_fps(truth, names)[:2]]
    part_of = {video: split_name(subset_of.get(video, "")) for video in train.files}
    parts = [{video: path for video, path in train.files.items() if part_of[video] == part} for part in wanted]
    others = tuple(video for video in train.files if part_of[video] not in wanted)
    return Split(train.folder, parts[0], others), Split(test.folder, parts[1])


def _named(files: dict[str, Path], known: Container[str]) -> dict[str, Path]:
    """The files by the names of the ground truth: features of ActivityNet and HACS are files v_VIDEO.

    Raises InputError where a video has two files.
    """
    by_name: dict[str, Path] = {}
    twice: list[tuple[Path, str]] = []
    for video, path in files.items():
        shorter = video.removeprefix(PREFIX)
        name = shorter if video not in known and shorter in known else video
        if name in by_name:
            twice.append((path, f"{path} and {by_name[name].name} are both of video {name}; keep one"))
        by_name.setdefault(name, path)
    if twice:
        raise InputError(grouped(twice))
    return by_name
