"""One split of features paired with its ground truth: its videos, their files, and the arrays of all of them.

Shapes: N videos, D channels, T snippets, C classes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tal_search.data import data_folder
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.definition import USUAL_SNIPPETS, DatasetDefinition
from tal_search.data.features.half_precision import TooCoarse, halved
from tal_search.data.features.layouts import LAYOUTS, FeatureLayout, split_files
from tal_search.data.features.npz import rescale_clicks
from tal_search.data.features.plausibility import (
    Contradictions,
    counted_videos,
    grouped,
    is_exchanged,
    report_unlike,
    require_axes,
)
from tal_search.data.features.stored import StoredShape, VideoFile
from tal_search.data.features.timing import Timing
from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truths import present
from tal_search.errors import InputError, Problems
from tal_search.files.heartbeat import beat
from tal_search.timeline import Timeline
from tal_search.types import Annotations, VideoSet

# Frames a second where no file states them; they only set how finely sequences are upsampled.
FALLBACK_FPS = 25.0


@dataclass(frozen=True, kw_only=True)
class FeatureSplit:
    """Files by video, the ground truth, D of all files, and frames a second where the ground truth has them.

    first: channels of RGB (D of one array). shapes: of readable headers. notes: for the user, on the files read so far.
    """

    layout: FeatureLayout
    folder: Path
    files: dict[str, Path]
    truth: Annotations
    channels: int
    first: int
    fps: dict[str, float]
    shapes: dict[str, StoredShape]
    notes: list[str] = field(default_factory=list)

    def videos(self, problems: Problems) -> Iterator[tuple[str, VideoFile, float]]:
        """Name, content and duration (seconds) of each video, one in memory at a time; adds a problem for a bad one."""
        durations = dict(zip(self.truth.videos, self.truth.duration.tolist(), strict=True))
        labels = dict(zip(self.truth.videos, present(self.truth), strict=True))
        unlike, bad, doubts = list[str](), list[tuple[Path, str]](), Contradictions(self.layout.timing)
        for name in sorted(self.files.keys() & durations.keys()):
            beat("reading %s", name)
            file = self.files[name]
            try:
                video = self._read(name)
            except InputError as error:
                bad += [(file, problem) for problem in error.problems]
                continue
            problem = self._problem_of(name, video, labels[name].any(), durations[name])
            if problem:
                bad.append((file, f"{file}: {problem}"))
                continue
            if video.labels is None:
                video = dataclasses.replace(video, labels=labels[name])
            unlike += [name] if (labels[name] != video.labels).any() else []
            doubts.add(name, video, durations[name], self.fps_of(name, video))
            yield name, video, video.duration or durations[name]
        problems.extend(grouped(bad))
        report_unlike(unlike, self.folder, len(self.files), problems, self.notes)
        doubts.report(self.folder, len(self.files), problems, self.notes)

    def _read(self, name: str) -> VideoFile:
        """The content of a video's file. Raises InputError as the layout, and where its axes look exchanged."""
        file, shape = self.files[name], self.shapes.get(name)
        if shape is not None and is_exchanged(shape, self.channels):
            seen = f"has {shape.snippets} snippets of {shape.channels} channels where other videos have {self.channels}"
            raise InputError(f"{file}: {seen}; its axes look exchanged, save it as {self.layout.axes}")
        if shape is not None and shape.channels == self.channels and shape.across != self.first:
            seen = f"{shape.across} channels of {shape.channels} are RGB where other videos have {self.first}"
            raise InputError(f"{file}: {seen}; extract it again")
        return self.layout.read(file, self.channels)

    def fps_of(self, name: str, video: VideoFile) -> float | None:
        """Frames a second of the layout, else of the file, else of the ground truth."""
        return self.layout.timing.fps or video.fps or self.fps.get(name)

    def _problem_of(self, name: str, video: VideoFile, has_instances: bool, duration: float) -> str | None:
        if self.layout.timing.stride is not None and self.fps_of(name, video) is None:
            seen = "its frames a second are unknown (no fps in the ground truth, or one that is no frame rate)"
            return f"{seen}; give it there, or as dataset.fps"
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

        T = 0: with its stored snippets, padded with zeros to the longest video's.
        Features are in float16; in float32, with a note, where float16 changes a video too much. They are in memory, or
        in a map of a new `file` with one video in memory at a time. Raises OSError where the file cannot be written.
        """
        seen = Problems()
        try:
            videos = self._filled(self._empty(snippets, "float16", file), snippets, seen)
        except TooCoarse as error:
            notes.append(str(error))
            seen = Problems()
            videos = self._filled(self._empty(snippets, "float32", file), snippets, seen)
        problems.extend(seen)
        return videos

    def _empty(self, snippets: int, dtype: str, file: Path | None) -> NDArray[np.floating]:
        """Zeros for the features of all videos [N, D, T]."""
        longest = max((shape.snippets for shape in self.shapes.values()), default=1)
        shape = (len(self.files), self.channels, snippets or longest)
        if file is None:
            return np.zeros(shape, dtype)
        features_NDT = np.lib.format.open_memmap(file, mode="w+", dtype=np.dtype(dtype), shape=shape)
        if hasattr(os, "posix_fallocate"):  # a full disk raises an error here; later it would be SIGBUS
            with file.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
        return features_NDT

    def _filled(self, features_NDT: NDArray[np.floating], snippets: int, problems: Problems) -> VideoSet:
        """All videos, their features written into `features_NDT`. Raises TooCoarse if float16 changes one too much."""
        names = tuple(sorted(self.files))
        row_of = {name: row for row, name in enumerate(names)}
        loaded = VideoSet.labelled(
            videos=names,
            features=features_NDT,
            labels=np.zeros((len(names), len(self.truth.classes)), np.float32),
            duration=np.ones(len(names)),
            frames=np.ones(len(names), np.int64),
            **({} if snippets else vars(Timeline.even(np.ones(len(names), np.int64), np.ones(len(names))))),
        )
        timing: Timing = self.layout.timing
        for name, video, duration in self.videos(problems):
            row, fps = row_of[name], self.fps_of(name, video)
            sampled_DT = timing.sampled(video.features, snippets, duration, fps) if snippets else video.features
            length = sampled_DT.shape[1]
            half = loaded.features.dtype == np.float16
            loaded.features[row, :, :length] = halved(sampled_DT, name) if half else sampled_DT
            if loaded.length is not None and loaded.start is not None and loaded.extent is not None:
                loaded.length[row] = length
                loaded.start[row], loaded.extent[row] = timing.span(length, duration, fps)
            loaded.labels[row] = video.labels
            loaded.duration[row] = duration
            loaded.frames[row] = video.frames or max(1, round(duration * (fps or FALLBACK_FPS)))
            if video.background_clicks is not None:
                loaded.background_clicks[row, :length] = rescale_clicks(video.background_clicks, length)
        return loaded


def read_splits(spec: DatasetSpec, problems: Problems) -> tuple[FeatureSplit, FeatureSplit]:
    """Training and test split of features, no array read yet; adds a problem for videos without file or ground truth.

    D is the most frequent one. Raises InputError where a ground truth cannot be used or a folder is gone.
    """
    root, path, facts = Path(spec.root), Path(spec.ground_truth), spec.facts
    timing = {key: value for key, value in spec.layout.items() if key != "name"}
    layout = dataclasses.replace(LAYOUTS[spec.layout["name"]], timing=Timing(**timing))
    splits = split_files(layout, root, facts.splits, path)
    *subsets, fps = data_folder.subsets_and_fps(path, facts.splits)
    truths = read_both(path, subsets, facts)
    shapes: list[dict[str, StoredShape]] = [{}, {}]
    for headers, split in zip(shapes, splits, strict=True):
        for name, file in split.files.items():
            with contextlib.suppress(InputError):  # reported when the file is read whole
                headers[name] = layout.shape(file)
    sizes = Counter((shape.channels, shape.across) for headers in shapes for shape in headers.values()).most_common(1)
    channels, first = sizes[0][0] if sizes else (0, 0)
    both = [
        FeatureSplit(
            layout=layout, folder=split.folder, files=split.files, truth=truth, fps=fps, shapes=headers,
            channels=channels, first=first,
        )
        for split, truth, headers in zip(splits, truths, shapes, strict=True)
    ]  # fmt: skip
    for paired in both:
        problems.extend(_unpaired(paired, path))
    both[0].notes.extend(data_folder.fps_notes(path))
    if splits[0].others:
        seen = f"{splits[0].folder}: {counted_videos(list(splits[0].others))}"
        both[0].notes.append(f"{seen} in no training or test subset of {path.name}; not read")
    require_axes(root, both, facts.snippets or USUAL_SNIPPETS)
    return both[0], both[1]


def read_truths(spec: DatasetSpec, notes: list[str] | None = None) -> tuple[Annotations, Annotations]:
    """Ground truth of the training and the test subset. Raises InputError with the problems of both."""
    path = Path(spec.ground_truth)
    *subsets, _ = data_folder.subsets_and_fps(path, spec.facts.splits)
    return read_both(path, subsets, spec.facts, notes)


def read_both(
    path: Path, subsets: list[str], dataset: DatasetDefinition | None = None, notes: list[str] | None = None
) -> tuple[Annotations, Annotations]:
    """Annotations of two subsets of a file, see `read_annotations`.

    Raises InputError with the problems of both, without duplicates.
    """
    truths: list[Annotations] = []
    found: list[str] = []
    problems: dict[str, None] = {}  # both subsets report a problem of the whole file
    for subset in subsets:
        try:
            truths.append(read_annotations(path, subset, dataset, found))
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InputError(problems)
    if notes is not None:
        notes += dict.fromkeys(found)
    return truths[0], truths[1]


def _unpaired(split: FeatureSplit, truth: Path) -> Iterator[str]:
    """Problems: videos without features, and features without an entry in the ground truth."""
    lost = [name for name in split.truth.videos if name not in split.files]
    if lost:
        missing = counted_videos(lost)
        yield f"{split.folder}: no features of {missing} of {truth.name}; add them, or leave them out there"
    known = set(split.truth.videos)
    extra = [name for name in split.files if name not in known]
    if extra:
        fix = "move the files away, or add the videos there"
        yield f"{split.folder}: {counted_videos(extra)} not in the subset of {truth.name}; {fix}"
