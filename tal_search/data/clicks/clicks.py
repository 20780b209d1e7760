"""Clicks: one table for every kind and file format, its reader, and the snippets that clicks fall in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tal_search.data.clicks.click_files import Row, read_click_file
from tal_search.data.truth.labels import Use, described, named, read_as, respelling_notes
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

    Clicks must lie inside their video, and frame numbers must be whole, as in every released file.
    Adds notes on ground truth beside the clicks and on ignored rows. Raises InputError with every problem: no such
    file, another format or kind, rows without a number, unknown videos or labels, numbers outside the video, fractions
    of frames, frames of videos without a frame rate.
    """
    problems = Problems(path)
    file = read_click_file(path, kind, problems)
    if kind not in (None, file.kind):
        raise InputError(f"{path}: holds {file.kind}, but is named as a file of {kind}; rename it")
    if file.boundaries:
        notes.append(f"WARNING: {path} carries ground-truth boundaries beside the clicks; they are not read")
    rows = list(_of_training_videos(file.rows, known, problems, notes))
    in_frames, reason = _unit(file.in_frames, rows, known)
    if file.in_frames is None:
        notes.append(f"{path}: {reason}")
    _require_rates(in_frames, rows, known, problems)
    index = {video: row for row, video in enumerate(known.seconds)}
    labels = _labels(path, rows, known.classes, problems, notes)
    triples = []
    for row in rows:
        time = _time(row, in_frames, known, problems, reason)
        if time is not None and row.label in labels:
            triples.append((index[row.video], time, labels[row.label]))
    problems.raise_if_any()
    if not triples:
        raise InputError(f"{path}: holds no click of a training video; give a file with one click a row")
    return Clicks.of(file.kind, annotator, tuple(known.seconds), triples)


def of_videos(clicks: Clicks, videos: tuple[str, ...]) -> Clicks:
    """The clicks on these videos only."""
    index = {name: row for row, name in enumerate(videos)}
    video = np.array([index.get(name, -1) for name in clicks.videos], np.int64)[clicks.video]
    kept = np.flatnonzero(video >= 0)
    kept = kept[np.argsort(video[kept], kind="stable")]
    columns = {name: getattr(clicks, name)[kept] for name in ("time", "label", "spent")}
    return replace(clicks, videos=videos, video=video[kept], **columns)


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
            f"{row.where}: video '{brief(row.video)}' is not a training video{hint}; correct or remove the row",
            "unknown video",
        )
    return (row for row in rows if row.video in known.seconds)


def _unit(in_frames: bool | None, rows: list[Row], known: ClickedVideos) -> tuple[bool, str]:
    """Whether the numbers of a file are frames, and the evidence for it in words.

    in_frames: what the format says; None where it leaves that open. Then they are seconds if one is a fraction, else
    frames if half of them or more lie beyond their videos' ends in seconds: of the frames of a video, all but one in
    `fps` do. The rows that contradict the unit are problems.
    """
    finite = [row for row in rows if math.isfinite(row.number)]
    beyond = [row for row in finite if row.number > known.seconds[row.video]]
    share = f"{len(beyond)} of {len(finite)} lie beyond the ends of their videos in seconds"
    likely = bool(beyond) and 2 * len(beyond) >= len(finite)
    if in_frames is not None:
        return (
            in_frames,
            "this format holds seconds, and the file looks like frames" if likely and not in_frames else "",
        )
    fraction = next((row for row in finite if not row.number.is_integer()), None)
    if fraction is not None:
        seen = f"{fraction.where} is {brief(fraction.text)}, and no frame number is a fraction"
        return False, f"its numbers are taken for seconds: {seen}"
    return likely, f"its numbers are taken for {'frames' if likely else 'seconds'}: {share}"


def _require_rates(in_frames: bool, rows: list[Row], known: ClickedVideos, problems: Problems) -> None:
    """Add one problem for all clicks that are frames of videos without a frame rate."""
    lost = [row for row in rows if in_frames and row.video not in known.fps]
    if lost:
        videos = list(dict.fromkeys(row.video for row in lost))
        seen = f"{len(lost)} clicks, such as {lost[0].where}, are frames of videos whose fps is unknown"
        problems.add(f"{seen} ({named(videos)}); add or correct it in the ground truth")


def _time(row: Row, in_frames: bool, known: ClickedVideos, problems: Problems, reason: str) -> float | None:
    """Seconds; None, with a problem, where the row has none inside its video. reason: evidence for the unit."""
    rate, duration = known.fps.get(row.video) if in_frames else 1.0, known.seconds[row.video]
    why = f" ({reason})" if reason else ""
    if not math.isfinite(row.number):
        unit = "a frame's number" if in_frames else "a number of seconds"
        problems.add(f"{row.where}: the click on {row.video} is at '{brief(row.text)}'; give {unit}", "no number")
    elif in_frames and not row.number.is_integer():
        seen = f"frame {row.number:g} of {row.video}, and no frame number is a fraction"
        problems.add(f"{row.where}: the click is at {seen}; give a whole number of frames", "fraction")
    elif rate is None:
        return None  # `_require_rates` reports it
    elif not 0 <= row.number / rate <= duration:
        frame = f"frame {row.number:g}, " if in_frames else ""
        seen = f"{frame}{row.number / rate:g} s of {row.video}, which lasts {duration:g} s"
        problems.add(f"{row.where}: the click is at {seen}; correct or remove the row{why}", "outside")
    else:
        return row.number / rate
    return None


def _labels(
    path: Path, rows: list[Row], classes: tuple[str, ...], problems: Problems, notes: list[str]
) -> dict[str | None, int]:
    """Label → class, and None, of background clicks, → BACKGROUND; a problem where labels are no class."""
    places: dict[str, list[str]] = {}
    for row in rows:
        if row.label is not None:
            places.setdefault(row.label, []).append(row.where)
    class_of = read_as(places, classes)
    notes += respelling_notes(path, {label: len(where) for label, where in places.items()}, class_of, "click")
    wrong = {label: Use(len(where), where[0]) for label, where in places.items() if label not in class_of}
    if wrong:
        listed = described(wrong, classes, "click")
        problems.add(f"labels that are no class of the dataset: {listed}; correct them, or remove their rows")
    return {None: BACKGROUND} | {label: classes.index(name) for label, name in class_of.items()}
