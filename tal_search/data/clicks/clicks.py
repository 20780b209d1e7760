"""Clicks: one table for every kind and file format, its reader, and the snippets that clicks fall in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tal_search.data.clicks.click_files import Row, read_click_file
from tal_search.errors import LISTED, InputError, Problems
from tal_search.files.json_reader import brief, nearest_of
from tal_search.types import Floats, Ints

BACKGROUND = -1  # the label of a background click
STRAY_SHARE = 0.01  # of rows may name unknown videos: a released file of 2920 rows has one misspelt name


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """Clicks of one kind by one annotator, one row a click, ordered by video and time.

    video int64 [N] into `videos`; time float64 [N] seconds; label int64 [N], class index, BACKGROUND for a background
    click; spent float64 [N], seconds that the annotator needed, NaN where unknown (no format states it).
    """

    kind: str
    annotator: str
    videos: tuple[str, ...]
    video: Ints
    time: Floats
    label: Ints
    spent: Floats

    @classmethod
    def of(cls, kind: str, annotator: str, videos: tuple[str, ...], rows: list[tuple[int, float, int]]) -> Clicks:
        """Clicks from (video, time, label) triples in any order."""
        table = np.array(sorted(rows), np.float64).reshape(-1, 3)
        return cls(
            kind=kind, annotator=annotator, videos=videos, video=table[:, 0].astype(np.int64), time=table[:, 1],
            label=table[:, 2].astype(np.int64), spent=np.full(len(table), np.nan),
        )  # fmt: skip

    def by_video(self) -> dict[str, Floats]:
        """Times of the clicks in seconds, by video."""
        parts = np.split(self.time, np.searchsorted(self.video, np.arange(1, len(self.videos))))
        return dict(zip(self.videos, parts, strict=True))


@dataclass(frozen=True, kw_only=True)
class ClickedVideos:
    """The training videos that clicks may name, with their seconds, frames a second where known, and the class names.

    others: videos of the dataset that are not trained on; their clicks are ignored.
    """

    seconds: Mapping[str, float]
    fps: Mapping[str, float]
    classes: tuple[str, ...]
    others: frozenset[str] = frozenset()


def read_clicks(path: Path, kind: str | None, annotator: str, known: ClickedVideos, notes: list[str]) -> Clicks:
    """The clicks of a file on the training videos; kind: one of CLICKS, or None for the kind that the file holds.

    No click may lie beyond the end of its video; none does in any released file. Adds notes on ground truth beside the
    clicks and on ignored rows. Raises InputError with every problem: no such file, another format or kind, rows without
    a number, unknown videos or labels, seconds outside the video, frames of a video without a frame rate.
    """
    problems = Problems(path)
    file = read_click_file(path, kind, problems)
    if kind not in (None, file.kind):
        raise InputError(f"{path}: holds {file.kind}, but is named as a file of {kind}; rename it")
    if file.boundaries:
        notes.append(f"WARNING: {path} carries ground-truth boundaries beside the clicks; they are not read")
    rows = list(_of_training_videos(file.rows, known, problems, notes))
    in_frames = _in_frames(path, rows, known, notes) if file.in_frames is None else file.in_frames
    index = {video: row for row, video in enumerate(known.seconds)}
    labels = {name: label for label, name in enumerate(known.classes)}
    triples = []
    for row in rows:
        time, label = _time(row, in_frames, known, problems), _label(row, labels, problems)
        if time is not None and label is not None:
            triples.append((index[row.video], time, label))
    problems.raise_if_any()
    if not triples:
        raise InputError(f"{path}: holds no click of a training video; give a file with one click a row")
    return Clicks.of(file.kind, annotator, tuple(known.seconds), triples)


def snippet_of(seconds: Floats, duration: float | Floats, snippets: int) -> Ints:
    """The snippet at each second: ⌊second / duration · T⌋; the end of the video is in the last one."""
    return np.minimum(snippets - 1, (seconds / duration * snippets).astype(np.int64))


def _of_training_videos(rows: list[Row], known: ClickedVideos, problems: Problems, notes: list[str]) -> Iterator[Row]:
    """Rows of training videos. Unknown videos are problems, or a note in at most STRAY_SHARE of the rows."""
    stray = [row for row in rows if row.video not in known.seconds and row.video not in known.others]
    names = tuple(known.seconds)
    if stray and len(stray) <= STRAY_SHARE * len(rows):
        listed = ", ".join(f"{row.where} '{brief(row.video)}'" for row in stray[:3])
        notes.append(f"{problems.path}: {len(stray)} of {len(rows)} clicks ignored, of unknown videos ({listed})")
        stray = []
    for row in stray:
        hint = nearest_of(row.video, names) if len(problems) < LISTED else ""
        problems.add(
            f"{row.where}: video '{brief(row.video)}' is not a training video{hint}; correct or remove the row"
        )
    return (row for row in rows if row.video in known.seconds)


def _in_frames(path: Path, rows: list[Row], known: ClickedVideos, notes: list[str]) -> bool:
    """Whether numbers of unknown unit are frames: so if any is greater than the duration of its video in seconds.

    Frames would all be smaller only if every click of every video lay in the first of `fps` parts of its video.
    """
    beyond = any(row.number > known.seconds[row.video] for row in rows)
    seen, unit = ("some lie", "frames") if beyond else ("none lies", "seconds")
    notes.append(f"{path}: its numbers are taken for {unit}: {seen} beyond the video's end in seconds")
    return beyond


def _time(row: Row, in_frames: bool, known: ClickedVideos, problems: Problems) -> float | None:
    """Seconds; None, with a problem, where the row has none inside its video."""
    rate, duration = known.fps.get(row.video) if in_frames else 1.0, known.seconds[row.video]
    if rate is None:
        problems.add(f"{row.where}: is a frame of {row.video}, whose fps is unknown; add it to the ground truth")
    elif not math.isfinite(row.number):
        unit = "a frame's number" if in_frames else "a number of seconds"
        problems.add(f"{row.where}: the click on {row.video} is at '{brief(row.text)}'; give {unit}")
    elif not 0 <= row.number / rate <= duration:
        seen = f"{row.number / rate:g} s of {row.video}, which lasts {duration:g} s"
        problems.add(f"{row.where}: the click is at {seen}; correct or remove the row")
    else:
        return row.number / rate
    return None


def _label(row: Row, labels: Mapping[str, int], problems: Problems) -> int | None:
    if row.label is None or row.label in labels:
        return BACKGROUND if row.label is None else labels[row.label]
    hint = nearest_of(row.label, tuple(labels)) if len(problems) < LISTED else ""
    problems.add(f"{row.where}: label '{brief(row.label)}' is not a class of the dataset{hint}; correct it")
    return None
