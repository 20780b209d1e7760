"""One split of BackTAL's features with its ground truth: which videos belong, and their arrays.

Shapes: N videos, D channels, T snippets, C classes.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tal_search.data import layout
from tal_search.data.annotations import read_annotations
from tal_search.data.features import VideoFile, read_channels, read_video, rescale, rescale_clicks
from tal_search.data.timeline import present
from tal_search.errors import InputError
from tal_search.types import Annotations, DatasetSpec, VideoSet

# Where neither file says how many frames a video has; they only set how finely its sequences are upsampled.
FALLBACK_FPS = 25.0
NAMED = 5  # videos named in one sentence


@dataclass(frozen=True, kw_only=True)
class FeatureSplit:
    """npz files by video, the ground truth, D of all of them, and the frames a second that the ground truth states."""

    folder: Path
    files: dict[str, Path]
    truth: Annotations
    channels: int
    fps: dict[str, float]

    def videos(self, problems: list[str]) -> Iterator[tuple[str, VideoFile, float]]:
        """Name, content and duration (seconds) of each video, one in memory at a time; a problem for each bad one."""
        durations = dict(zip(self.truth.videos, self.truth.duration.tolist(), strict=True))
        labels = dict(zip(self.truth.videos, present(self.truth), strict=True))
        unlike = 0
        for name in sorted(self.files.keys() & durations.keys()):
            try:
                video = read_video(self.files[name], self.channels)
            except InputError as error:
                problems.extend(error.problems)
                continue
            problem = self._problem_of(video, labels[name].any(), durations[name])
            if problem:
                problems.append(f"{self.files[name]}: {problem}")
                continue
            unlike += bool((labels[name] != video.labels).any())
            yield name, video, video.duration or durations[name]
        if unlike > len(self.files) / 2:
            seen = f"cls_label disagrees with the ground truth in {unlike} of {len(self.files)} videos"
            problems.append(f"{self.folder}: {seen}; give the ground truth with the order of classes it was made with")

    def _problem_of(self, video: VideoFile, has_instances: bool, duration: float) -> str | None:
        if len(video.labels) != len(self.truth.classes):
            seen = f"cls_label has {len(video.labels)} classes where the ground truth has {len(self.truth.classes)}"
            return f"{seen}; use the ground truth that the features were made with"
        if video.labels.any() and not has_instances:
            return "cls_label names a class, but the ground truth has no instance of this video; add them there"
        if video.duration is None and not np.isfinite(duration):
            return "has no duration, and neither has the ground truth; add it there"
        return None

    def load(self, snippets: int, problems: list[str]) -> VideoSet:
        """Every video rescaled to T = `snippets`, sorted by name; the clicks are those of the feature files."""
        names = tuple(sorted(self.files))
        row_of = {name: row for row, name in enumerate(names)}
        loaded = VideoSet.labelled(
            videos=names,
            features=np.zeros((len(names), self.channels, snippets), np.float32),
            labels=np.zeros((len(names), len(self.truth.classes)), np.float32),
            duration=np.ones(len(names)),
            frames=np.ones(len(names), np.int64),
        )
        for name, video, duration in self.videos(problems):
            row, fps = row_of[name], video.fps or self.fps.get(name, FALLBACK_FPS)
            loaded.features[row] = rescale(video.features, snippets)
            loaded.labels[row] = video.labels
            loaded.duration[row] = duration
            loaded.frames[row] = video.frames or max(1, round(duration * fps))
            if video.background_clicks is not None:
                loaded.background_clicks[row] = rescale_clicks(video.background_clicks, snippets)
        return loaded


def read_splits(spec: DatasetSpec, problems: list[str]) -> tuple[FeatureSplit, FeatureSplit]:
    """Training and test split of features, no array read yet; a problem for each video without its other half.

    D is that of most files. Raises InputError where a ground truth cannot be used or a folder is gone.
    """
    root, path = Path(spec.root), Path(spec.ground_truth)
    train, test = layout.split_folders(root, spec.name)
    if train is None or test is None:
        raise InputError(f"{root} no longer has training and test features; put them back")
    files = [layout.feature_files(folder, root) for folder in (train, test)]
    *subsets, fps = layout.subsets_and_fps(path, spec.name)
    truths = read_both(path, subsets)
    channels: Counter[int] = Counter()
    for file in (*files[0].values(), *files[1].values()):
        with contextlib.suppress(InputError):  # said when the file is read whole
            channels[read_channels(file)] += 1
    most = channels.most_common(1)[0][0] if channels else 0
    both = [
        FeatureSplit(folder=folder, files=found, truth=truth, channels=most, fps=fps)
        for folder, found, truth in zip((train, test), files, truths, strict=True)
    ]
    for split in both:
        problems.extend(_unpaired(split, path))
    return both[0], both[1]


def read_truths(spec: DatasetSpec) -> tuple[Annotations, Annotations]:
    """Ground truth of the training and the test subset. Raises InputError with the problems of both."""
    path = Path(spec.ground_truth)
    train, test, _ = layout.subsets_and_fps(path, spec.name)
    return read_both(path, [train, test])


def read_both(path: Path, subsets: list[str]) -> tuple[Annotations, Annotations]:
    """Annotations of two subsets of a file. Raises InputError with the problems of both, each once."""
    truths: list[Annotations] = []
    problems: list[str] = []
    for subset in subsets:
        try:
            truths.append(read_annotations(path, subset))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(dict.fromkeys(problems))  # what concerns the whole file is said for each subset
    return truths[0], truths[1]


def _unpaired(split: FeatureSplit, truth: Path) -> Iterator[str]:
    """Videos that only the disk or only the ground truth has."""
    lost = [name for name in split.truth.videos if name not in split.files]
    if lost:
        yield f"{split.folder}: no npz file for {_named(lost)} of {truth.name}; add them, or leave them out there"
    known = set(split.truth.videos)
    extra = [name for name in split.files if name not in known]
    if extra:
        fix = "move the files away, or add the videos there"
        yield f"{split.folder}: {_named(extra)} not in the subset of {truth.name}; {fix}"


def _named(videos: list[str]) -> str:
    more = f" and {len(videos) - NAMED} more" if len(videos) > NAMED else ""
    return f"{len(videos)} video{'s' if len(videos) > 1 else ''} ({', '.join(videos[:NAMED])}{more})"
