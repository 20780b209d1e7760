"""Background clicks: BackTAL's CSV, and clicks laid on a grid of snippets.

The CSV has the columns URLID,URL,TagID,Tag,Start,End,Time,State, UTF-8 with a byte order mark, one click a row: the
video is URLID, the second is Start (the annotators worked at 2 frames a second).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tal_search.data.json_file import Problems, brief, nearest_of
from tal_search.errors import InputError
from tal_search.types import Floats

VIDEO, SECOND = "URLID", "Start"


def read_clicks(path: Path, durations: Mapping[str, float]) -> dict[str, Floats]:
    """Clicks of one annotator: video → sorted float64 seconds. Videos without a click are left out.

    `durations`: seconds of every training video. No tolerance is needed: in none of the released files does a click
    lie beyond its video's end. Raises InputError with every problem: no such file, no CSV of this kind, rows without
    a number, unknown videos, seconds before the start or after the end of the video.
    """
    problems = Problems(path)
    found: dict[str, list[float]] = {}
    for line, video, text in _rows(path, problems):
        second = _second(text)
        if video not in durations:
            hint = nearest_of(video, tuple(durations)) if len(problems.sentences) < 20 else ""
            problems.add(
                f"line {line}: video '{brief(video)}' is not a training video{hint}; correct or remove the row"
            )
        elif not math.isfinite(second):
            problems.add(f"line {line}: {SECOND} of {video} is '{brief(text)}'; give a number of seconds")
        elif not 0 <= second <= durations[video]:
            seen = f"{second:g} s of {video}, which lasts {durations[video]:g} s"
            problems.add(f"line {line}: the click is at {seen}; correct or remove the row")
        else:
            found.setdefault(video, []).append(second)
    problems.stop()
    if not found:
        raise InputError(f"{path}: holds no click; give BackTAL's CSV with one click a row")
    return {video: np.array(sorted(seconds)) for video, seconds in found.items()}


def rasterise(seconds: Floats, duration: float, snippets: int) -> NDArray[np.bool_]:
    """bool [T], True in the snippets that hold a click: snippet ⌊second / duration · T⌋, the end in the last one."""
    clicked_T = np.zeros(snippets, np.bool_)
    clicked_T[np.minimum(snippets - 1, (seconds / duration * snippets).astype(np.int64))] = True
    return clicked_T


def _rows(path: Path, problems: Problems) -> list[tuple[int, str, str]]:
    """Line, video and second of every row that has them; blank lines are passed over."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give BackTAL's CSV of background clicks"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; give BackTAL's CSV of background clicks") from None
    reader = csv.reader(lines)
    rows = []
    try:
        header = next(reader, [])
        if VIDEO not in header or SECOND not in header:
            seen = brief(",".join(header))
            raise InputError(
                f"{path}: the first line is '{seen}'; give BackTAL's CSV, with the columns {VIDEO} and {SECOND}"
            )
        video, second = header.index(VIDEO), header.index(SECOND)
        for row in filter(None, reader):
            if len(row) > max(video, second):
                rows.append((reader.line_num, row[video].strip(), row[second].strip()))
            else:
                seen = f"has {len(row)} fields where the header has {len(header)}"
                problems.add(f"line {reader.line_num}: {seen}; correct or remove the row")
    except csv.Error as error:
        problems.add(f"line {reader.line_num}: is not CSV ({error}); correct or remove the row")
    return rows


def _second(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
