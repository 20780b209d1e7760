"""Reader of users' JSON files: one error if a file is not complete JSON, else all of its problems in one pass."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from tal_search.errors import InputError, Problems


class JsonFile(NamedTuple):
    """The JSON object of a file, the object in it that holds its entries by video, and the problems of the file."""

    content: dict[str, object]
    entries: dict[str, object]
    problems: Problems


def not_json(path: Path, error: Exception) -> str:
    """Why a file is no JSON, and the fix: one that does not even begin so is of another kind, not damaged."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        begin = stream.read(1024).strip()
        if begin[:1] not in (b"{", b"[", b"") and begin.isascii():
            return f"is no JSON file ({error}); write its content as one, see docs/datasets.md"
    return f"is not a whole JSON file ({error}); fetch or write it again"


def read_object(path: Path, section: str) -> JsonFile:
    """Read a file whose JSON object has its entries in an object named `section`.

    Keys that an object repeats are problems. Raises InputError: no such file, no whole JSON, no such section.
    """
    repeated: list[str] = []

    def noting_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        content = dict(pairs)
        if len(content) < len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return content

    try:
        content = json.loads(content_of(path), object_pairs_hook=noting_repeats, parse_int=integer_of)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a JSON file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {not_json(path, error)}") from None
    entries = content.get(section) if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise InputError(f"{path}: has no object '{section}'; give an ActivityNet-style file, {{'{section}': {{...}}}}")
    problems = Problems(path)
    for key in repeated:  # JSON readers keep the last value without a warning
        problems.add(f"key '{brief(key)}' is given more than once in one object; keep one")
    return JsonFile(content, entries, problems)


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises OSError, also for a pipe or a device, which may never end."""
    require_regular(path)
    return path.read_bytes()


def require_regular(path: Path) -> None:
    """Raises OSError where a path leads to no file with bytes of its own: a folder, a pipe, a device, nothing."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a regular file", str(path))


def items_of(where: str, items: object, problems: Problems) -> Iterator[tuple[str, dict[str, object]]]:
    """Each object of a list with its place in the file; problems where there is no list, or an item is no object."""
    if not isinstance(items, list):
        seen = "missing" if items is None else brief(items)
        problems.add(f"{where} is {seen}; give a list, empty where there is nothing", "no list")
        return
    for index, item in enumerate(items):
        if isinstance(item, dict):
            yield f"{where}[{index}]", item
        else:
            problems.add(f"{where}[{index}] is {brief(item)}; give an object with a label and a segment", "no object")


def segment_of(
    where: str, item: dict[str, object], problems: Problems, *, may_be_empty: bool = False
) -> tuple[float, float] | None:
    """Start and end of an item in seconds; None, with a problem, where they are not a segment.

    may_be_empty: start and end may be equal, as in the released ground truth of ActivityNet 1.2.
    """
    value = item.get("segment")
    start, end = map(number_of, value) if isinstance(value, list) and len(value) == 2 else (math.nan, math.nan)
    if not (math.isfinite(start) and math.isfinite(end)):
        seen = f"{where}.segment is {brief(value)}"
        problems.add(f"{seen}; give [start, end], two finite numbers of seconds", "no segment")
    elif may_be_empty and end < start:
        problems.add(
            f"{where}.segment is {brief(value)}, which ends before it starts; correct or remove it", "reversed"
        )
    elif end <= start and not may_be_empty:
        problems.add(f"{where}.segment is {brief(value)}, which is not longer than 0 s; correct or remove it", "empty")
    else:
        return start, end
    return None


def number_of(value: object) -> float:
    """A JSON value as a number, also one written as text (a released ground truth has "88.6"); NaN if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    if isinstance(value, str) and "_" in value:  # Python reads 10_0 as 100
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def integer_of(text: str) -> int | float:
    """An integer of a JSON file; infinite, and so no number to any check, where Python refuses its many digits."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The valid name closest to a wrong one without regard to case; None where none is close."""
    by_text = {valid.casefold(): valid for valid in names}
    close = get_close_matches(name.casefold(), by_text, n=1)
    return by_text[close[0]] if close else None


def nearest_of(name: str, names: Iterable[str]) -> str:
    """A hint at the valid name closest to a wrong one, or an empty text."""
    near = nearest(name, names)
    return "" if near is None else f" (did you mean '{near}'?)"


def brief(value: object) -> str:
    """A JSON value as text of one line, shortened to fit an error message."""
    text = value if isinstance(value, str) else "missing" if value is None else json.dumps(value)
    text = text.replace("\n", "\\n").encode("utf-8", "replace").decode()
    return text if len(text) <= 60 else text[:57] + "..."
