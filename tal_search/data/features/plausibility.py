"""Doubts about the features of a split: exchanged axes, and lengths that contradict the durations of the videos.

A doubt about most videos of a split is a problem where a setting or another file explains it; all others are notes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from tal_search.data.features.stored import StoredShape, VideoFile
from tal_search.data.features.timing import Timing
from tal_search.data.truth.labels import named
from tal_search.errors import InputError, Problems
from tal_search.text.words import counted

if TYPE_CHECKING:
    from tal_search.data.features.split_reader import FeatureSplit

ALIKE = 3  # sentences about files that are told as one
OFF = 0.1  # share by which a number of snippets or seconds may differ from what the others make it
LEAST_OFF = 2  # snippets, or seconds, that are never too many
RATE_OFF = 1.5  # factor between a video's snippets a second and those of most others
AGREEING = 2 / 3  # of the videos that must agree on a rate before another one is doubted
LENGTHS_DIFFER = 1.25  # factor between durations at which one number of snippets for all is doubted
WIDTH = 64  # numbers of channels of networks are multiples of it


def near(seen: float, expected: float) -> bool:
    return abs(seen - expected) <= max(LEAST_OFF, OFF * expected)


def counted_videos(videos: list[str]) -> str:
    """The number of videos and the first by name."""
    return f"{counted(len(videos), 'video')} ({named(videos)})"


def grouped(found: Iterable[tuple[Path, str]]) -> list[str]:
    """Sentences about files; those that differ only in the file and in numbers become one, with the files' names."""
    kinds: dict[str, list[tuple[Path, str]]] = {}
    for path, sentence in found:
        kinds.setdefault(re.sub(r"\d+(\.\d+)?", "#", sentence.replace(path.stem, "")), []).append((path, sentence))
    sentences = []
    for alike in kinds.values():
        if len(alike) >= ALIKE:
            names = named(path.name for path, _ in alike[1:])
            sentences.append(f"{alike[0][1]} (also {len(alike) - 1} other files: {names})")
        else:
            sentences.extend(sentence for _, sentence in alike)
    return sentences


def is_exchanged(shape: StoredShape, channels: int) -> bool:
    """Whether a file would have D = `channels`, as the others, if its axes were exchanged."""
    streams = round(shape.channels / shape.across)
    return shape.channels != channels and shape.snippets * streams == channels


def exchanged_axes(
    shapes: Mapping[str, StoredShape],
    seconds: Mapping[str, float],
    expected: Mapping[str, float],
    axes: str,
    usual: int,
) -> tuple[str, str]:
    """Whether the axes of all features look exchanged: a problem, and a note; empty where they do not.

    seconds: durations by video, where known; expected: snippets that the timing makes of them. axes: the right order.
    usual: the number of snippets that released features of the dataset are rescaled to.
    """
    fitting = [
        name
        for name in shapes.keys() & expected.keys()
        if near(shapes[name].across, expected[name]) and not near(shapes[name].snippets, expected[name])
    ]
    lengths = {shape.snippets for shape in shapes.values()}
    widths = Counter(shape.across for shape in shapes.values()).most_common(1)
    varied = bool(widths) and widths[0][1] <= len(shapes) / 2  # no width that most of the videos share
    first = next(iter(shapes), "")
    if fitting and len(fitting) > len(shapes) / 2:
        first = min(fitting)
        seen = f"{len(fitting)} of {len(shapes)} videos fit their durations only if their axes are exchanged"
    elif len(lengths) == 1 and varied:
        seen = (
            f"all {len(shapes)} videos have the same number of snippets, and channels that differ from video to video"
        )
    else:
        return "", _doubt(shapes, seconds, axes, usual)
    stored = f"{first} has {shapes[first].snippets} snippets of {shapes[first].channels} channels"
    return f"{seen}, such as {stored}; save the arrays as {axes}", ""


def _doubt(shapes: Mapping[str, StoredShape], seconds: Mapping[str, float], axes: str, usual: int) -> str:
    """A note where videos of all lengths have as many snippets as a network has channels, or more of them than that."""
    known = [seconds[name] for name in shapes.keys() & seconds.keys()]
    kinds = {(shape.snippets, shape.across) for shape in shapes.values()}
    if len(kinds) > 1 or len(known) < 2 or max(known) < LENGTHS_DIFFER * min(known):
        return ""
    ((snippets, across),) = kinds
    if snippets == usual or (snippets <= across and not (snippets % WIDTH == 0 and across % WIDTH)):
        return ""
    seen = f"every video, of {min(known):g} to {max(known):g} s, has {snippets} snippets of {across} channels"
    return f"{seen}; if these are {snippets} channels of {across} snippets, save the arrays as {axes}"


@dataclass
class Contradictions:
    """What contradicts the durations of a split's videos, collected one video at a time: by kind, video → words."""

    timing: Timing
    off: dict[str, str] = field(default_factory=dict)
    durations: dict[str, str] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    lengths: dict[str, tuple[int, float]] = field(default_factory=dict)  # snippets and seconds

    def add(self, name: str, video: VideoFile, stated: float, fps: float | None) -> None:
        """One video; stated: its duration in the ground truth, NaN where it has none; fps: the one that is used."""
        duration, snippets = video.duration or stated, video.features.shape[1]
        self.lengths[name] = snippets, duration
        if video.cut:
            self.cut.append(name)
        if self.timing.stride is not None:
            expected = self.timing.expected(duration, fps)
            if not near(snippets, expected):
                self.off[name] = (
                    f"{name} has {snippets} snippets; {duration:g} s at its stride and fps give {expected:.0f}"
                )
        if video.duration is not None and np.isfinite(stated) and not near(video.duration, stated):
            self.durations[name] = f"{name} lasts {video.duration:g} s in its file and {stated:g} s in the ground truth"
        if video.frames is not None and video.fps is not None and not near(video.frames / video.fps, duration):
            self.frames[name] = f"{name} has {video.frames} frames at {video.fps:g} a second and lasts {duration:g} s"
        for key in ("stride", "offset"):
            value, used = getattr(video, key), getattr(self.timing, key)
            if value is not None and value != used:
                self.unused[name] = (
                    f"{name} states {key} {value:g}, and {'none' if used is None else f'{used:g}'} is used"
                )

    def report(self, folder: Path, videos: int, problems: Problems, notes: list[str]) -> None:
        """Add a problem for each kind that most of the videos have, and a note for the others."""
        extracted = "give dataset.stride, dataset.offset or dataset.fps as they were extracted"
        same = "give the ground truth of these features, or correct the durations"
        for found, fix in ((self.off, extracted), (self.durations, same)):
            if len(found) > videos / 2:
                first = next(iter(found.values()))
                problems.extend([f"{folder}: {len(found)} of {videos} videos, such as {first}; {fix}"])
        off, durations = (found if len(found) <= videos / 2 else {} for found in (self.off, self.durations))
        for found, effect in (
            (off, "the last snippet is repeated, or the rest is not used; extract it again or correct its duration"),
            (durations, "that of its file is used; correct one of them"),
            (self.frames, "correct one of them"),
            (self.unused, "give dataset.stride and dataset.offset as the features were extracted"),
            (self._uneven() if self.timing.stride is None else {}, "extract it again or correct its duration"),
        ):
            if found:
                first, *others = found.values()
                more = f" (also {len(others)} more: {named(list(found)[1:])})" if others else ""
                notes.append(f"WARNING: {folder}: {first}{more}; {effect}")
        if self.cut:
            notes.append(
                f"{folder}: RGB and flow of {counted_videos(self.cut)} differ by one snippet; the longer one is cut"
            )

    def _uneven(self) -> dict[str, str]:
        """Videos whose snippets a second differ from those that most others agree on."""
        rates = {name: snippets / seconds for name, (snippets, seconds) in self.lengths.items()}
        if len({snippets for snippets, _ in self.lengths.values()}) < 2:
            return {}  # rescaled to one length
        usual = median(rates.values())
        if sum(abs(rate / usual - 1) <= OFF for rate in rates.values()) < AGREEING * len(rates):
            return {}
        found = {}
        for name, (snippets, seconds) in self.lengths.items():
            expected = usual * seconds
            if abs(snippets - expected) > LEAST_OFF and not 1 / RATE_OFF <= snippets / max(expected, 1.0) <= RATE_OFF:
                as_others = f"{expected:.0f} at the rate of the others"
                found[name] = f"{name} has {snippets} snippets in {seconds:g} s, which would be {as_others}"
        return found


def report_unlike(unlike: list[str], folder: Path, videos: int, problems: Problems, notes: list[str]) -> None:
    """Add a problem where cls_label contradicts the ground truth in most videos, a note where it does in `unlike`."""
    seen = f"{folder}: cls_label disagrees with the ground truth in {len(unlike)} of {videos} videos"
    if len(unlike) > videos / 2:
        problems.extend([f"{seen}; give the ground truth whose order of classes they were made with"])
    elif unlike:
        used = "video labels are those of cls_label, instances and scores those of the ground truth"
        notes.append(f"WARNING: {seen} ({named(unlike)}); {used}; correct one of them")


def require_axes(root: Path, splits: list[FeatureSplit], usual: int) -> None:
    """Raises InputError where the axes of the features look exchanged, and adds a note where they may be."""
    timing, shapes = splits[0].layout.timing, {name: shape for split in splits for name, shape in split.shapes.items()}
    stated = (zip(split.truth.videos, split.truth.duration.tolist(), strict=True) for split in splits)
    seconds = {name: duration for split in stated for name, duration in split if np.isfinite(duration)}
    fps = {name: timing.fps or splits[0].fps.get(name) for name in seconds}
    expected = {name: timing.expected(seconds[name], rate) for name, rate in fps.items() if timing.stride and rate}
    problem, note = exchanged_axes(shapes, seconds, expected, splits[0].layout.axes, usual)
    if problem:
        raise InputError(f"{root}: {problem}")
    if note:
        splits[0].notes.append(f"WARNING: {root}: {note}")
