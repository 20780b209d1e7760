"""Reading a user's JSON file: the whole file or one clear error, and every problem of its content in one pass."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tal_search.errors import InputError, Problems


def read_object(path: Path, section: str) -> tuple[dict[str, Any], Problems]:
    """The JSON object of a file, which holds an object named `section`, and the list its problems go to.

    Raises InputError where there is no file, no whole JSON or no such section to look into.
    """
    repeated: list[str] = []

    def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return content

    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=no_repeats)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a JSON file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not a whole JSON file ({error}); fetch or write it again") from None
    if not isinstance(content, dict) or not isinstance(content.get(section), dict):
        raise InputError(f"{path}: has no object '{section}'; give an ActivityNet-style file, {{'{section}': {{...}}}}")
    problems = Problems(path)
    for key in repeated:  # JSON readers would keep the last one without a word
        problems.add(f"key '{brief(key)}' is given more than once in one object; keep one")
    return content, problems


def items_of(where: str, items: Any, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a list, with its place in the file."""
    if not isinstance(items, list):
        seen = "missing" if items is None else brief(items)
        problems.add(f"{where} is {seen}; give a list, empty where there is nothing")
        return
    for index, item in enumerate(items):
        if isinstance(item, dict):
            yield f"{where}[{index}]", item
        else:
            problems.add(f"{where}[{index}] is {brief(item)}; give an object with a label and a segment")


def segment_of(
    where: str, item: dict[str, Any], problems: Problems, *, may_be_empty: bool = False
) -> tuple[float, float] | None:
    """Start and end in seconds of an item; a reported problem and None where they are not a segment.

    may_be_empty: they may be equal, as in the released ground truth of ActivityNet 1.2.
    """
    value = item.get("segment")
    start, end = map(number_of, value) if isinstance(value, list) and len(value) == 2 else (math.nan, math.nan)
    if not (math.isfinite(start) and math.isfinite(end)):
        problems.add(f"{where}.segment is {brief(value)}; give [start, end], two finite numbers of seconds")
    elif may_be_empty and end < start:
        problems.add(f"{where}.segment is {brief(value)}, which ends before it starts; correct or remove it")
    elif end <= start and not may_be_empty:
        problems.add(f"{where}.segment is {brief(value)}, which is not longer than 0 s; correct or remove it")
    else:
        return start, end
    return None


def number_of(value: Any) -> float:
    """The number of a JSON value, also one written as text (a released ground truth has "88.6"); NaN if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def nearest_of(name: str, names: tuple[str, ...]) -> str:
    """A hint at the valid name closest to a wrong one, or nothing."""
    close = get_close_matches(name, names, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def brief(value: Any) -> str:
    """A value as its file writes it, shortened to fit a sentence."""
    text = value if isinstance(value, str) else "missing" if value is None else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
