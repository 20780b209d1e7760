"""Rows of click files in the four formats in use, recognised by their content.

- BackTAL's CSV: a header with URLID and Start (URLID,URL,TagID,Tag,Start,End,Time,State; UTF-8 with a byte order mark),
  one background click a row at second Start (the annotators worked at 2 frames a second).
- SF-Net's lines: VIDEO,seconds,label, one action click a line, no header, blank lines between.
- LACP's and HR-Pro's CSV: a header with class, point and video or video_id, one action click a row at frame point. It
  also holds the instance's start and stop, ground truth that is never read.
- Background JSON: {VIDEO: [number, ...]}, frames (released for GTEA) or whole seconds (released for BEOID); some
  released names end in a line break.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import brief, content_of, integer_of, number_of
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS

FORMATS = {
    BACKGROUND_CLICKS: "BackTAL's CSV (columns URLID and Start) or JSON {VIDEO: [number, ...]}",
    ACTION_CLICKS: "lines VIDEO,seconds,label or LACP's CSV (columns class, video_id and point)",
}
BOUNDARIES = {"start", "stop", "start_frame", "stop_frame"}


class Row(NamedTuple):
    """One click as written in its file: `where` in the file, the number and its text, the label of an action click."""

    where: str
    video: str
    number: float
    text: str
    label: str | None


class ClickFile(NamedTuple):
    """kind: one of CLICKS. in_frames: the numbers are frames, not seconds; None where the format leaves that open.
    boundaries: the file also holds start and end of instances.
    """

    kind: str
    in_frames: bool | None
    rows: list[Row]
    boundaries: bool


def read_click_file(path: Path, kind: str | None, problems: Problems) -> ClickFile:
    """Every complete row; a problem for each other row. Numbers are not checked here: NaN where there is none.

    kind: the expected one, for error messages; None for either. Raises InputError: no such file, not UTF-8, none of the
    formats.
    """
    wanted = " or ".join(FORMATS.values()) if kind is None else FORMATS[kind]
    try:
        text = content_of(path).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give {wanted}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; give {wanted}") from None
    if text.lstrip().startswith(("{", "[")):
        return ClickFile(BACKGROUND_CLICKS, None, list(_json_rows(path, text, problems)), False)
    lines = text.splitlines()
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    header = _header(lines[first]) if lines else []
    if {"URLID", "Start"} <= set(header):
        rows = list(_csv_rows(lines, first, header, ("URLID", "Start", None), problems))
        return ClickFile(BACKGROUND_CLICKS, False, rows, False)
    video = "video_id" if "video_id" in header else "video"
    if {"class", "point", video} <= set(header):
        rows = list(_csv_rows(lines, first, header, (video, "point", "class"), problems))
        return ClickFile(ACTION_CLICKS, True, rows, bool(BOUNDARIES & set(header)))
    if len(header) == 3 and not math.isnan(number_of(header[1])):
        columns = ("video", "second", "label")
        return ClickFile(ACTION_CLICKS, False, list(_csv_rows(lines, first - 1, columns, columns, problems)), False)
    seen = brief(lines[first]) if lines else ""
    raise InputError(f"{path}: is not a click file (the first line is '{seen}'); give {wanted}")


def _header(line: str) -> list[str]:
    try:
        return [name.strip(' "') for name in _fields(line)]
    except csv.Error:
        return []  # the caller shows the line


def _csv_rows(
    lines: list[str], first: int, header: Sequence[str], columns: tuple[str, str, str | None], problems: Problems
) -> Iterator[Row]:
    """Rows below the header at line index `first`; columns: names of those of the video, the number and the label."""
    video, number = header.index(columns[0]), header.index(columns[1])
    label = header.index(columns[2]) if columns[2] else None
    least = max(video, number, -1 if label is None else label)
    for index, line in enumerate(lines[first + 1 :], first + 2):
        where = f"line {index}"
        try:
            fields = _fields(line)
        except csv.Error as error:
            problems.add(f"{where}: is no row of a CSV file ({error}); correct or remove the row", "no CSV")
            continue
        if not any(field.strip() for field in fields):
            continue
        if least < len(fields) and not any(field.strip() for field in fields[len(header) :]):
            text = fields[number].strip()
            name = None if label is None else fields[label].strip()
            yield Row(where, fields[video].strip(), number_of(text), text, name)
        else:
            seen = f"has {len(fields)} fields where {len(header)} are needed"
            problems.add(f"{where}: {seen}; correct or remove the row", "fields")


def _fields(line: str) -> list[str]:
    """The fields of one line: none of these formats has a line break in a field, so a quote ends in its line.

    Raises csv.Error where it does not, and where a field is longer than the csv module reads.
    """
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        unclosed = "unexpected end of data" in str(error)
        raise csv.Error("a quote that is not closed in this line" if unclosed else error) from None


def _merged(pairs: list[tuple[str, object]], problems: Problems) -> dict[str, object]:
    """An object's content; a problem for each key that it repeats, of which JSON readers keep only the last."""
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            problems.add(f"'{brief(key)}' is given {count} times; put its numbers into one list", "repeated")
    return dict(pairs)


def _json_rows(path: Path, text: str, problems: Problems) -> Iterator[Row]:
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: _merged(pairs, problems), parse_int=integer_of)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not a whole JSON file ({error}); fetch or write it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: is {brief(content)}; give {FORMATS[BACKGROUND_CLICKS]}")
    for name, frames in content.items():
        video = name.strip()
        if isinstance(frames, list):
            for index, frame in enumerate(frames):
                yield Row(f"{video}[{index}]", video, number_of(frame), brief(frame), None)
        else:
            problems.add(f"{video} is {brief(frames)}; give a list of numbers", "no list")
