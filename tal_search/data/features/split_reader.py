"""One split of features paired with its ground truth: its videos, their files, and the arrays of all of them.

Shapes: N videos, D channels, T snippets, C classes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tal_search.data import data_folder
from tal_search.data.annotations import read_annotations
from tal_search.data.features.half_precision import TooCoarse, halved
from tal_search.data.features.layouts import LAYOUTS, SNIPPETS_OFF, FeatureLayout, split_files
from tal_search.data.features.npz import VideoFile, rescale_clicks
from tal_search.data.features.timing import Timing
from tal_search.data.truths import present
from tal_search.errors import InputError, Problems
from tal_search.types import Annotations, DatasetSpec, VideoSet

# Frames a second where no file states them; they only set how finely sequences are upsampled.
FALLBACK_FPS = 25.0
NAMED = 5  # videos named in one sentence; the rest are counted


@dataclass(frozen=True, kw_only=True)
class FeatureSplit:
    """Files by video, the ground truth, D of all files, and frames a second where the ground truth has them."""

    layout: FeatureLayout
    folder: Path
    files: dict[str, Path]
    truth: Annotations
    channels: int
    fps: dict[str, float]

    def videos(self, problems: Problems) -> Iterator[tuple[str, VideoFile, float]]:
        """Name, content and duration (seconds) of each video, one in memory at a time; adds a problem for a bad one."""
        durations = dict(zip(self.truth.videos, self.truth.duration.tolist(), strict=True))
        labels = dict(zip(self.truth.videos, present(self.truth), strict=True))
        unlike = 0
        off: list[str] = []
        for name in sorted(self.files.keys() & durations.keys()):
            try:
                video = self.layout.read(self.files[name], self.channels)
            except InputError as error:
                problems.extend(error.problems)
                continue
            problem = self._problem_of(name, video, labels[name].any(), durations[name])
            if problem:
                problems.extend([f"{self.files[name]}: {problem}"])
                continue
            if video.labels is None:
                video = dataclasses.replace(video, labels=labels[name])
            unlike += bool((labels[name] != video.labels).any())
            off += self._off(name, video, durations[name])
            yield name, video, video.duration or durations[name]
        if unlike > len(self.files) / 2:
            seen = f"cls_label disagrees with the ground truth in {unlike} of {len(self.files)} videos"
            fix = "give the ground truth whose order of classes they were made with"
            problems.extend([f"{self.folder}: {seen}; {fix}"])
        if len(off) > len(self.files) / 2:
            fix = "give dataset.stride, dataset.offset or dataset.fps as they were extracted"
            problems.extend([f"{self.folder}: {len(off)} of {len(self.files)} videos, such as {off[0]}; {fix}"])

    def fps_of(self, name: str, video: VideoFile) -> float | None:
        """Frames a second of the layout, else of the file, else of the ground truth."""
        return self.layout.timing.fps or video.fps or self.fps.get(name)

    def _off(self, name: str, video: VideoFile, duration: float) -> list[str]:
        """A sentence where the number of snippets does not fit the layout's timing and the duration."""
        if self.layout.timing.stride is None:
            return []
        got, expected = video.features.shape[1], self.layout.timing.expected(duration, self.fps_of(name, video))
        far = abs(got - expected) > max(2, SNIPPETS_OFF * expected)
        return [f"{name} has {got} snippets where its {duration:g} s make {expected:.0f}"] if far else []

    def _problem_of(self, name: str, video: VideoFile, has_instances: bool, duration: float) -> str | None:
        if self.layout.timing.stride is not None and self.fps_of(name, video) is None:
            return "its frames a second are unknown; add fps to the ground truth, or give dataset.fps"
        if video.labels is not None and len(video.labels) != len(self.truth.classes):
            seen = f"cls_label has {len(video.labels)} classes where the ground truth has {len(self.truth.classes)}"
            return f"{seen}; use the ground truth that the features were made with"
        if video.labels is not None and video.labels.any() and not has_instances:
            return "cls_label names a class, but the ground truth has no instance of this video; add them there"
        if video.duration is None and not np.isfinite(duration):
            return "has no duration, and neither has the ground truth; add it there"
        return None

    def load(self, snippets: int, problems: Problems, notes: list[str], file: Path | None = None) -> VideoSet:
        """Every video rescaled to T = `snippets`, sorted by name; the clicks are those of the feature files.

        Features are in float16; in float32, with a note, where float16 changes a video too much. They are in memory, or
        in a map of a new `file` with one video in memory at a time. Raises OSError where the file cannot be written.
        """
        seen = Problems()
        try:
            videos = self._filled(self._empty(snippets, "float16", file), seen)
        except TooCoarse as error:
            notes.append(str(error))
            seen = Problems()
            videos = self._filled(self._empty(snippets, "float32", file), seen)
        problems.extend(seen)
        return videos

    def _empty(self, snippets: int, dtype: str, file: Path | None) -> NDArray[np.floating]:
        """Zeros for the features of all videos [N, D, T]."""
        shape = (len(self.files), self.channels, snippets)
        if file is None:
            return np.zeros(shape, dtype)
        features_NDT = np.lib.format.open_memmap(file, mode="w+", dtype=np.dtype(dtype), shape=shape)
        if hasattr(os, "posix_fallocate"):  # a full disk raises an error here; later it would be SIGBUS
            with file.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
        return features_NDT

    def _filled(self, features_NDT: NDArray[np.floating], problems: Problems) -> VideoSet:
        """All videos, their features written into `features_NDT`. Raises TooCoarse if float16 changes one too much."""
        names, snippets = tuple(sorted(self.files)), features_NDT.shape[2]
        row_of = {name: row for row, name in enumerate(names)}
        loaded = VideoSet.labelled(
            videos=names,
            features=features_NDT,
            labels=np.zeros((len(names), len(self.truth.classes)), np.float32),
            duration=np.ones(len(names)),
            frames=np.ones(len(names), np.int64),
        )
        timing: Timing = self.layout.timing
        for name, video, duration in self.videos(problems):
            row, fps = row_of[name], self.fps_of(name, video)
            sampled_DT = timing.sampled(video.features, snippets, duration, fps)
            loaded.features[row] = halved(sampled_DT, name) if loaded.features.dtype == np.float16 else sampled_DT
            loaded.labels[row] = video.labels
            loaded.duration[row] = duration
            loaded.frames[row] = video.frames or max(1, round(duration * (fps or FALLBACK_FPS)))
            if video.background_clicks is not None:
                loaded.background_clicks[row] = rescale_clicks(video.background_clicks, snippets)
        return loaded


def read_splits(spec: DatasetSpec, problems: Problems) -> tuple[FeatureSplit, FeatureSplit]:
    """Training and test split of features, no array read yet; adds a problem for videos without file or ground truth.

    D is the most frequent one. Raises InputError where a ground truth cannot be used or a folder is gone.
    """
    root, path = Path(spec.root), Path(spec.ground_truth)
    timing = {key: value for key, value in spec.layout.items() if key != "name"}
    layout = dataclasses.replace(LAYOUTS[spec.layout["name"]], timing=Timing(**timing))
    splits = split_files(layout, root, spec.name, path)
    *subsets, fps = data_folder.subsets_and_fps(path, spec.name)
    truths = read_both(path, subsets)
    channels: Counter[int] = Counter()
    for file in (*splits[0].files.values(), *splits[1].files.values()):
        with contextlib.suppress(InputError):  # reported when the file is read whole
            channels[layout.channels(file)] += 1
    most = channels.most_common(1)[0][0] if channels else 0
    both = [
        FeatureSplit(layout=layout, folder=split.folder, files=split.files, truth=truth, channels=most, fps=fps)
        for split, truth in zip(splits, truths, strict=True)
    ]
    for split in both:
        problems.extend(_unpaired(split, path))
    return both[0], both[1]


def read_truths(spec: DatasetSpec) -> tuple[Annotations, Annotations]:
    """Ground truth of the training and the test subset. Raises InputError with the problems of both."""
    path = Path(spec.ground_truth)
    train, test, _ = data_folder.subsets_and_fps(path, spec.name)
    return read_both(path, [train, test])


def read_both(path: Path, subsets: list[str]) -> tuple[Annotations, Annotations]:
    """Annotations of two subsets of a file. Raises InputError with the problems of both, without duplicates."""
    truths: list[Annotations] = []
    problems: dict[str, None] = {}  # both subsets report a problem of the whole file
    for subset in subsets:
        try:
            truths.append(read_annotations(path, subset))
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InputError(problems)
    return truths[0], truths[1]


def _unpaired(split: FeatureSplit, truth: Path) -> Iterator[str]:
    """Problems: videos without features, and features without an entry in the ground truth."""
    lost = [name for name in split.truth.videos if name not in split.files]
    if lost:
        yield f"{split.folder}: no features of {_named(lost)} of {truth.name}; add them, or leave them out there"
    known = set(split.truth.videos)
    extra = [name for name in split.files if name not in known]
    if extra:
        fix = "move the files away, or add the videos there"
        yield f"{split.folder}: {_named(extra)} not in the subset of {truth.name}; {fix}"


def _named(videos: list[str]) -> str:
    more = f" and {len(videos) - NAMED} more" if len(videos) > NAMED else ""
    return f"{len(videos)} video{'s' if len(videos) > 1 else ''} ({', '.join(videos[:NAMED])}{more})"
