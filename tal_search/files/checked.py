"""Reader of this program's own files: each is compared with a checksum that was written with it, or beside it.

The checksums detect damage (a flipped bit, a file cut short), not tampering. A JSON file of ours has the SHA-256 of its
content under the key `sha256`; the size and SHA-256 of a binary file are listed in another file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from tal_search.errors import InputError
from tal_search.files.atomic import write_json
from tal_search.text.printable import first_line

SHA256 = "sha256"
MISSING = "it is missing"  # the reason why a file that is not there counts as damaged
ASIDE = ".damaged"  # ends the names of damaged files that were set aside
NO_FILE = (IsADirectoryError, NotADirectoryError)  # errors of paths that cannot be a file's
Stamp = list[Any]  # size in bytes, SHA-256


class Damaged(InputError):
    """A file of ours that is not as it was written. reason: what is wrong with it, in a few words."""

    def __init__(self, path: Path, reason: str, fix: str = "") -> None:
        self.path, self.reason, self.fix = path, reason, fix
        super().__init__(f"{path} is damaged ({reason}){f'; {fix}' if fix else ''}")

    def __reduce__(self) -> tuple[type[Damaged], tuple[Path, str, str]]:  # type: ignore[override]
        return type(self), (self.path, self.reason, self.fix)


class Unreadable(Damaged):
    """A file of ours that cannot be read now, perhaps only for a while: it is not renamed, nor made again."""

    def __init__(self, path: Path, reason: str, fix: str = "") -> None:
        super().__init__(path, reason, fix)
        self.problems = (
            f"{path} cannot be read ({reason}); nothing was changed: run the same command again once it can be read, "
            "or move it away",
        )
        self.args = self.problems


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of reading into Unreadable; a missing file, or a folder in its place, stays an OSError."""
    try:
        yield
    except (FileNotFoundError, *NO_FILE):
        raise
    except OSError as error:
        raise Unreadable(path, _words(error)) from error


def sealed(content: Mapping[str, object]) -> dict[str, object]:
    """The content of a JSON object with its checksum."""
    return {**content, SHA256: _digest(content)}


def write_sealed(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object with its checksum, atomically. Raises ValueError where a number is not finite."""
    write_json(path, sealed(content))


def read_sealed(path: Path, older: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
    """The JSON object in a file that `write_sealed` wrote, without its checksum.

    older: whether a content without a checksum is one that an earlier version wrote, judging by its keys; None: never.
    Raises FileNotFoundError, Damaged for a file that is not as it was written, and Unreadable.
    """
    try:
        with reading(path):
            text = path.read_bytes()
        content = json.loads(text, parse_constant=refused)
        noted = content.pop(SHA256, None) if isinstance(content, dict) else None
        found = _digest(content)
    except FileNotFoundError:
        raise
    except (*NO_FILE, ValueError, RecursionError) as error:
        raise Damaged(path, _words(error)) from None
    if not isinstance(content, dict):
        raise Damaged(path, "it holds no JSON object")
    if noted != found and not (noted is None and older is not None and older(content)):
        raise Damaged(path, "its checksum differs")
    return content


def unsealed(line: str | bytes, older: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """The JSON object of a line of a file, without its checksum; None where it is damaged. older: see `read_sealed`."""
    try:
        content = json.loads(line)
        noted = content.pop(SHA256, None)
        whole = older(content) if noted is None else noted == _digest(content)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return content if whole else None


def stamp(path: Path) -> Stamp:
    """Size and SHA-256 of a file. Raises OSError."""
    with path.open("rb") as stream:
        return [path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()]


def problem_of(path: Path, wanted: Stamp | None, *, most: int | None = None) -> str | None:
    """What is wrong with a file that has to have this size and SHA-256, if they are known; None where nothing is.

    most: larger files are compared by their size only. Raises Unreadable.
    """
    try:
        with reading(path):
            status = path.stat()
            if wanted is None:
                return None
            if status.st_size != wanted[0]:
                return f"it has {status.st_size} bytes instead of {wanted[0]}"
            if (most is None or status.st_size <= most) and stamp_now(path) != wanted:
                return "its checksum differs"
    except FileNotFoundError:
        return MISSING
    except NO_FILE as error:
        return _words(error)
    return None


def stamp_now(path: Path) -> Stamp:
    """The same, read again only where the file has changed since the last call in this process. Raises OSError."""
    return _stamp(path, version_of(path.stat()))


def version_of(status: os.stat_result) -> tuple[int, int, int]:
    """Key of caches of what a file holds: any write changes it."""
    return status.st_ctime_ns, status.st_size, status.st_ino


@lru_cache(maxsize=2**17)
def _stamp(path: Path, _: tuple[int, int, int]) -> Stamp:
    return stamp(path)


@contextmanager
def parsing(path: Path, fix: str = "") -> Iterator[None]:
    """Turn every error of a parser in the block into Damaged: given damaged files, parsers raise errors of any kind.

    Not those of the machine: Unreadable where the system reports an error of reading, and MemoryError and ImportError.
    """
    try:
        yield
    except (InputError, MemoryError, ImportError):
        raise
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a parser's own, or of a place that the file does not have
            raise Damaged(path, _words(error), fix) from error
        raise Unreadable(path, _words(error)) from error
    except Exception as error:
        raise Damaged(path, _words(error), fix) from error


def sqlite_problem(path: Path) -> str | None:
    """What SQLite finds wrong with a database; None where nothing is, or where it cannot be opened now."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError:
        return None
    except sqlite3.DatabaseError as error:
        return _words(error)
    return None if found == "ok" else str(found).replace("*** in database main ***", "").strip().partition("\n")[0]


def set_aside(path: Path, ending: str = ASIDE, sides: tuple[str, ...] = ()) -> Path:
    """Rename a file, so that it is neither read nor overwritten; returns its new path. Raises OSError.

    ending: of its new name, before a number if that is taken. sides: endings of files beside it that go with it.
    """
    number, place = 1, path.with_name(f"{path.name}{ending}")
    while any(place.with_name(place.name + side).exists() for side in ("", *sides)):
        number += 1
        place = path.with_name(f"{path.name}{ending}-{number}")
    for side in sides:
        if path.with_name(path.name + side).exists():
            path.with_name(path.name + side).rename(place.with_name(place.name + side))
    return path.rename(place)


def _digest(content: object) -> str:
    """The same for equal contents, NaN included, which a log may hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def refused(constant: str) -> None:
    """For `parse_constant` of json: our files hold no NaN. Raises ValueError."""
    raise ValueError(f"{constant} is no number")


def _words(error: Exception) -> str:
    """An error in a few words of one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return "it is no whole JSON file"
    return first_line(error)[:200]
