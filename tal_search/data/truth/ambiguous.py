"""THUMOS14's list of ambiguous instances: one per line, `VIDEO START END`, times in seconds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import brief, content_of, number_of
from tal_search.types import Annotations

AMBIGUOUS = "Ambiguous"  # the label of such instances in ground truths


def read_ambiguous(path: Path) -> Annotations:
    """The instances in the order of the list, all of the class "Ambiguous".

    Raises InputError: no such file, not text, lines that are not a video with a segment longer than 0 s.
    """
    try:
        lines = content_of(path).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "not text"
        raise InputError(f"{path}: cannot be read ({reason}); give lines of VIDEO START END") from None
    problems = Problems(path)
    names: list[str] = []
    segments: list[tuple[float, float]] = []
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        start, end = (number_of(fields[1]), number_of(fields[2])) if len(fields) == 3 else (math.nan, math.nan)
        if fields and not (math.isfinite(start) and math.isfinite(end) and start < end):
            problems.add(f"line {number} is '{brief(line)}'; give VIDEO START END, in seconds, END after START")
        elif fields:
            names.append(fields[0])
            segments.append((start, end))
    problems.raise_if_any()
    videos = tuple(dict.fromkeys(names))
    position = {name: index for index, name in enumerate(videos)}
    return Annotations(
        videos=videos,
        classes=(AMBIGUOUS,),
        video=np.array([position[name] for name in names], np.int64),
        label=np.zeros(len(names), np.int64),
        segment=np.array(segments, np.float64).reshape(-1, 2),
        duration=np.full(len(videos), np.nan),
    )
