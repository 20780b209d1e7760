"""Descriptions of a dataset's features, for the first line of every command and for tables."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from tal_search.data import data_folder
from tal_search.data.definition import DatasetDefinition
from tal_search.data.features.layouts import I3D_CHANNELS, FeatureLayout
from tal_search.data.features.stored import StoredShape
from tal_search.errors import InputError

SPLITS = re.compile(r"\d+ training and \d+ test videos")
FEWEST_CHANNELS = 256  # of a network for video; features with fewer were made as surrogates of such


def describe(facts: DatasetDefinition, root: Path, channels: int | str, videos: list[int], layout: str) -> str:
    """A dataset's features in words: folder, kind, videos [training, test], layout."""
    counts = f"{videos[0]} training and {videos[1]} test videos"
    return f"{root.resolve().name}: {_kind(facts, channels)}, {counts}; {layout}"


def describe_folds(description: str, videos: int, of: int, subjects: int) -> str:
    """A description with the folds in place of the two splits, which no fit then has."""
    words = f"{videos} videos in {of} folds over {subjects} subjects"
    changed, found = SPLITS.subn(words, description, count=1)
    return changed if found else f"{description}; {words}"


def _kind(facts: DatasetDefinition, channels: int | str) -> str:
    """The features in words, which warn that scores on other features than those of papers do not compare with them."""
    if facts.channels is None or channels == facts.channels:
        return f"features with {channels} channels"
    those = f"not the {facts.channels} of {'I3D' if facts.channels == I3D_CHANNELS else 'published ones'}"
    if isinstance(channels, int) and channels < FEWEST_CHANNELS <= facts.channels:
        return f"surrogate features ({channels} channels, {those})"
    return f"features with {channels} channels, {those}"


def describe_layout(layout: FeatureLayout) -> str:
    """The layout and its timing in one line."""
    timing, fps = layout.timing, "fps" if layout.timing.fps is None else f"{layout.timing.fps:g}"
    middle = "" if timing.stride is None else f", snippet i at ({timing.stride:g}·i + {timing.offset:g})/{fps} s"
    return f"layout {layout.name}{middle}"


def first_shape(layout: FeatureLayout, splits: list[dict[str, Path]]) -> StoredShape | None:
    """The shape of the first readable file; `check` reports the others."""
    for path in (path for split in splits for path in split.values()):
        with suppress(InputError):
            return layout.shape(path)
    return None


def no_features(facts: DatasetDefinition, root: Path | None, why: str) -> str:
    """Why there are no features, and the fix."""
    folders = f"{facts.splits.training[0]}/*.npz and {facts.splits.test[0]}/*.npz"
    fix = f"give a folder with {folders}, or with another layout of docs/datasets.md, as dataset.root"
    if root is None:
        return f"dataset.source=features, but {why}; {fix} (a study without dataset.root is simulated)"
    if data_folder.holds(root, "*.npz"):
        fix = "save each video's features as VIDEO.npy, an array [snippets, channels]; see docs/datasets.md"
    return f"{why}, which {data_folder.seen_at(root)}; {fix}"
