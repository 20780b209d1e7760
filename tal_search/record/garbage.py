"""What no study refers to: trial folders, and arrays of features that none of its trials reads; removed on request.

Arrays are kept for the trials that a record names, and for those under way, as this version of the code makes them: of
older data or code they go. Whoever has mapped them keeps them until it ends, and whoever wants them makes them again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import sqlalchemy
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from tal_search.data.features.shared import MANIFEST, place_of
from tal_search.errors import InputError, TalSearchError
from tal_search.record.retry import BUSY_SECONDS
from tal_search.record.storage import shown
from tal_search.trial.folder import TrialFolder

KEY = re.compile("[0-9a-f]{20}")
ARRAYS = re.compile("([0-9a-f]{20})(\\.unfinished)?")


class Garbage(NamedTuple):
    """A folder that no study refers to. what: for people; running: a process holds its lock, so it is kept."""

    path: Path
    bytes: int
    what: str
    running: bool


def unreferenced(runs: Path) -> list[Garbage]:
    """What `remove` would take from a runs folder, trials by name, then arrays. Raises InputError: a record that cannot
    be read.
    """
    folders, arrays = _candidates(runs)
    return [*(_garbage(folder, _trial_words(folder)) for folder in folders),
            *(_garbage(folder, _array_words(folder)) for folder in arrays)]  # fmt: skip


def remove(runs: Path, garbage: Sequence[Garbage]) -> list[Garbage]:
    """Remove these folders; returns those removed. Kept are folders in which a trial runs by now, or that a study
    refers to by now, and anything that is neither a trial folder nor one of arrays in `runs`.

    Raises InputError: a record cannot be read, and nothing is removed; TalSearchError: a folder cannot be removed.
    """
    folders, arrays = _candidates(runs)
    removed: list[Garbage] = []
    for item in garbage:
        if item.path not in (*folders, *arrays):
            continue
        with _claimed(item.path) as free:
            if free:
                _remove(item.path, len(removed))
                removed.append(item)
    return removed


def _candidates(runs: Path) -> tuple[list[Path], list[Path]]:
    """Folders of trials that no record names, and of arrays that no other trial reads."""
    folders = _folders(runs / "trials", KEY)  # before the records: a trial that begins and ends meanwhile is in its own
    named = _referenced(runs)
    unnamed = [folder for folder in folders if folder.name not in named]
    arrays = _folders(runs / "features", ARRAYS)
    if arrays:
        wanted = {_arrays_of(folder) for folder in folders if folder.name in named or _held(folder)}
        arrays = [folder for folder in arrays if folder.name.partition(".")[0] not in wanted]
    return unnamed, arrays


def _folders(parent: Path, pattern: re.Pattern[str]) -> list[Path]:
    """The real folders directly below `parent` that are named so; no link is followed."""
    with suppress(FileNotFoundError), os.scandir(parent) as entries:
        names = [
            entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and pattern.fullmatch(entry.name)
        ]
        return [parent / name for name in sorted(names)]
    return []


def _arrays_of(folder: Path) -> str | None:
    """The name of the arrays that a trial reads; None where its folder does not say."""
    try:
        dataset = json.loads((folder / "spec.json").read_bytes())["dataset"]
        return place_of(Path(), dataset["fingerprint"], dataset["snippets"]).name
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _referenced(runs: Path) -> set[str]:
    """Keys in the records of every study, whichever state their trials are in. All unreadable records are reported."""
    keys: set[str] = set()
    problems: list[str] = []
    for path in sorted([*runs.glob("*/record.db"), *runs.glob("*/record.url")]):
        where: Path | str = path
        try:
            where = path if path.suffix == ".db" else path.read_text().strip()
            keys |= _keys(where)
        except (OSError, SQLAlchemyError, ImportError, ValueError) as error:
            place = path if where == path else f"{path} names {shown(where)}, which"
            problems.append(
                f"{place} cannot be read as a record ({_reason(error)}), so nothing is removed; "
                "restore it, or start its server"
            )
    if problems:
        raise InputError(problems)
    return keys


def _reason(error: Exception) -> str:
    """One line; what SQLAlchemy says of a URL that it cannot parse may hold the password."""
    if isinstance(error, ArgumentError):
        return "this is not a URL of a database"
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def _keys(where: Path | str) -> set[str]:
    """Keys of all trials of all studies in one record; trials of other kinds have none."""
    attributes = sqlalchemy.table("trial_user_attributes", sqlalchemy.column("key"), sqlalchemy.column("value_json"))
    query = sqlalchemy.select(attributes.c.value_json).where(attributes.c.key == "key").distinct()
    engine = _engine(where)
    try:
        with engine.connect() as connection:
            return {json.loads(value) for value in connection.scalars(query)}
    finally:
        engine.dispose()


def _engine(where: Path | str) -> sqlalchemy.Engine:
    """A file is opened as it is, never created; a running driver goes on writing to it."""
    if isinstance(where, str):
        return sqlalchemy.create_engine(where, poolclass=NullPool)
    address = f"{where.resolve().as_uri()}?mode=rw"
    return sqlalchemy.create_engine(
        "sqlite://", poolclass=NullPool, creator=lambda: sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
    )


def _garbage(folder: Path, what: str) -> Garbage:
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # a running trial replaces its files
                size += os.lstat(Path(root, name)).st_size
    return Garbage(folder, size, what, _held(folder))


def _trial_words(folder: Path) -> str:
    try:
        spec = json.loads((folder / "spec.json").read_bytes())
        what = f"{spec['method']}, annotator {spec['annotator']}, seed {spec['seed']}"
    except (OSError, ValueError, KeyError, TypeError):
        what = "without a readable spec.json"
    return f"{what}, {'unfinished' if TrialFolder(folder).result() is None else 'finished'}"


def _array_words(folder: Path) -> str:
    try:
        videos = sum(len(split["videos"]) for split in json.loads((folder / MANIFEST).read_bytes()).values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "features, unfinished"
    return f"features of {videos} videos"


def _held(folder: Path) -> bool:
    with _claimed(folder) as free:
        return not free


@contextmanager
def _claimed(folder: Path) -> Iterator[bool]:
    """Whether no process works in the folder; none begins before the block ends. A lock that cannot be read is held."""
    arrays = folder.parent.name == "features"
    lock = folder.with_name(f"{folder.name.partition('.')[0]}.lock") if arrays else folder / "lock"
    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True  # none has ever begun
        return
    except OSError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except BlockingIOError:
        free = False
    try:
        yield free
    finally:
        os.close(handle)


def _remove(folder: Path, before: int) -> None:
    """What says that it is whole goes first: a folder half removed is never taken for a finished one."""
    try:
        for name in ("result.json", MANIFEST):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder)
    except OSError as error:
        raise TalSearchError(
            f"{folder} cannot be removed ({error.strerror}) after {before} others were; make it writable and repeat"
        ) from error
