"""Converted datasets: every video at T snippets, in arrays that training maps from disk without a copy.

The folder holds the arrays of `features.shared`, the ground truth, the click files, and a manifest with the number of
snippets and each array's size and checksum. Shapes: N videos, D channels, T snippets, C classes.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.shared import ARRAYS, MANIFEST, SPLITS, SplitEntry, array_file, mapped, size_and_checksum
from tal_search.data.features.split_reader import FeatureSplit, read_splits
from tal_search.data.supervision import EMBEDDED
from tal_search.data.truth.truths import present
from tal_search.errors import InputError, Problems
from tal_search.files.checked import Damaged, read_sealed, sealed
from tal_search.files.disk import size_text
from tal_search.files.new_folder import new_folder, require_new
from tal_search.types import BACKGROUND_CLICKS, Annotations, VideoSet

CONVERTED = "converted"
UNSEALED = {"snippets", "embedded", "train", "test"}  # keys of the first manifests, which had no checksum
UNWHOLE = "is not a whole manifest of converted features"


class Manifest(TypedDict):
    """The manifest of a converted dataset. embedded: whether the feature files had background clicks. streams: see
    `DatasetSpec`; absent where they were unknown.
    """

    snippets: int
    embedded: bool
    train: SplitEntry
    test: SplitEntry
    streams: NotRequired[list[int]]


def is_converted(root: Path) -> bool:
    """Whether `convert` wrote this folder, judging by file names."""
    return (root / MANIFEST).is_file() and array_file(root, "train", "features").is_file()


def read_manifest(root: Path) -> Manifest:
    """The manifest that `convert` wrote. Raises InputError where it is not whole."""
    path = root / MANIFEST
    try:
        content = read_sealed(path, older=lambda content: content.keys() - {"streams"} == UNSEALED)
        manifest = Manifest(
            snippets=content["snippets"], embedded=content["embedded"], train=content["train"], test=content["test"]
        )
        if "streams" in content:
            manifest["streams"] = [int(number) for number in content["streams"]]
        whole = isinstance(manifest["snippets"], int) and isinstance(manifest["embedded"], bool)
        for split in SPLITS:
            videos, files = manifest[split]["videos"], manifest[split]["files"]
            whole &= bool(videos) and all(isinstance(name, str) for name in videos)
            numbers = [number for name in ARRAYS for number in files[name]]
            whole &= len(numbers) == 2 * len(ARRAYS) and all(isinstance(number, int) for number in numbers)
    except Damaged as error:
        raise InputError(f"{path}: {UNWHOLE} ({error.reason}); convert them again") from None
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise InputError(f"{path}: {UNWHOLE}; convert them again")
    return manifest


def open_cache(root: Path, snippets: int, *, checked: bool) -> tuple[VideoSet, VideoSet]:
    """Training and test videos, mapped. checked: compare every file with its checksum, else only with its size.

    Raises InputError: another number of snippets than converted, files that are damaged or links out of the folder.
    """
    manifest = read_manifest(root)
    if manifest["snippets"] != snippets:
        seen = f"{root} was converted to {manifest['snippets']} snippets, and {snippets} are wanted"
        raise InputError(f"{seen}; give dataset.snippets={manifest['snippets']}, or convert again")
    sets = []
    for split in SPLITS:
        paths = [array_file(root, split, name) for name in ARRAYS]
        try:
            if any(path.resolve().parent != root.resolve() for path in paths):
                raise ValueError("a file is a link to elsewhere")
            videos = mapped(root, split, manifest[split], checked=checked)
            if videos.features.shape[2] != snippets:
                raise ValueError(f"the features of {split} have {videos.features.shape[2]} snippets")
            sets.append(videos)
        except (OSError, ValueError, TypeError, InputError) as error:
            raise InputError(f"{root} is damaged ({error}); convert the features again") from None
    return sets[0], sets[1]


def check_cache(root: Path, snippets: int, train: Annotations, test: Annotations) -> VideoSet:
    """The training videos, both splits checked in full. Raises InputError where they disagree with the ground truth."""
    splits = open_cache(root, snippets, checked=True)
    problems = Problems(root)
    if any(set(videos.videos) != set(truth.videos) for videos, truth in zip(splits, (train, test), strict=True)):
        problems.add("its videos are not those of the ground truth; convert the features again")
    classes = {videos.labels.shape[1] for videos in splits}
    if classes != {len(train.classes)}:
        seen = f"{' and '.join(map(str, sorted(classes)))} classes where the ground truth has {len(train.classes)}"
        problems.add(f"has {seen}; convert the features again")
    problems.raise_if_any()
    for name, videos, truth in zip(SPLITS, splits, (train, test), strict=True):
        labels = dict(zip(truth.videos, present(truth), strict=True))
        unlike = sum(
            bool((labels[video] != row).any()) for video, row in zip(videos.videos, videos.labels, strict=True)
        )
        if unlike > len(videos.videos) / 2:
            seen = f"its {name} labels disagree with the ground truth in {unlike} of {len(videos.videos)} videos"
            problems.add(f"{seen}; convert the features again")
    problems.raise_if_any()
    return splits[0]


def convert(spec: DatasetSpec, folder: Path, notes: list[str]) -> None:
    """Write the dataset into a new folder, one video in memory at a time; spec.snippets is its T.

    Features are in float16 unless that changes a video too much (see `half_precision`), which adds a note. Raises
    InputError: `folder` exists and is not empty, too little disk space, files with problems that `check` reports.
    """
    if spec.layout["name"] == CONVERTED:
        raise InputError(f"{spec.root} is already converted; give the features that it was made from")
    require_new(folder, [spec.root, spec.ground_truth])
    problems = Problems()
    splits = read_splits(spec, problems)
    problems.raise_if_any()
    folder.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(2 * len(split.files) * split.channels * spec.snippets for split in splits)
    if shutil.disk_usage(folder.parent).free < needed:
        raise InputError(f"out={folder}: its disk has no room for {size_text(needed)}; give a folder on another disk")
    with new_folder(folder, [spec.root, spec.ground_truth]) as unfinished:
        embedded = EMBEDDED in spec.clicks[BACKGROUND_CLICKS]
        train, test = (
            _write_split(unfinished, name, split, spec.snippets, notes)
            for name, split in zip(SPLITS, splits, strict=True)
        )
        manifest = Manifest(snippets=spec.snippets, embedded=embedded, train=train, test=test)
        if spec.streams:
            manifest["streams"] = spec.streams
        shutil.copyfile(spec.ground_truth, unfinished / f"gt_{spec.name}.json")
        for path in (path for files in spec.clicks.values() for path in files.values() if path):
            shutil.copyfile(path, unfinished / Path(path).name)
        (unfinished / MANIFEST).write_text(json.dumps(sealed(manifest)))


def _write_split(folder: Path, name: str, split: FeatureSplit, snippets: int, notes: list[str]) -> SplitEntry:
    """Write the arrays of one split; returns its entry of the manifest."""
    problems = Problems()
    videos = split.load(snippets, problems, notes, array_file(folder, name, "features"))
    problems.raise_if_any()
    assert isinstance(videos.features, np.memmap)
    videos.features.flush()
    if name == "test":
        videos = dataclasses.replace(videos, background_clicks=np.zeros_like(videos.background_clicks))
    for array in ARRAYS:
        if array != "features":
            np.save(array_file(folder, name, array), getattr(videos, array))
    files = {array: size_and_checksum(array_file(folder, name, array)) for array in ARRAYS}
    return {"videos": videos.videos, "files": files}
