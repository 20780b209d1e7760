"""Trial folders that no study's record refers to: found, and removed where the user says so."""

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

from tal_search.errors import InputError, TalSearchError
from tal_search.search.patience import BUSY_SECONDS
from tal_search.search.storage import shown
from tal_search.trial_folder import TrialFolder

KEY = re.compile("[0-9a-f]{20}")


class Garbage(NamedTuple):
    """A trial folder that no study refers to. what: for people; running: a trial holds its lock, so it is kept."""

    path: Path
    bytes: int
    what: str
    running: bool


def unreferenced(runs: Path) -> list[Garbage]:
    """What `remove` would take from a runs folder, by name. Raises InputError: a record that cannot be read."""
    folders = _trial_folders(runs)  # before the records: a trial that begins and ends meanwhile is in its record
    kept = _referenced(runs)
    return [_garbage(folder) for folder in folders if folder.name not in kept]


def remove(runs: Path, garbage: Sequence[Garbage]) -> list[Garbage]:
    """Remove these folders; returns those removed. Kept are folders in which a trial runs by now, or that a study
    refers to by now, and anything that is no trial folder of `runs`.

    Raises InputError: a record cannot be read, and nothing is removed; TalSearchError: a folder cannot be removed.
    """
    folders, kept = set(_trial_folders(runs)), _referenced(runs)
    removed: list[Garbage] = []
    for item in garbage:
        if item.path not in folders or item.path.name in kept:
            continue
        with _claimed(item.path) as free:
            if free:
                _remove(item.path, len(removed))
                removed.append(item)
    return removed


def _trial_folders(runs: Path) -> list[Path]:
    """The real folders directly below `trials` that are named like a key; no link is followed."""
    with suppress(FileNotFoundError), os.scandir(runs / "trials") as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and KEY.fullmatch(entry.name)]
        return [runs / "trials" / name for name in sorted(names)]
    return []


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


def _garbage(folder: Path) -> Garbage:
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # a running trial replaces its files
                size += os.lstat(Path(root, name)).st_size
    try:
        spec = json.loads((folder / "spec.json").read_bytes())
        what = f"{spec['method']}, annotator {spec['annotator']}, seed {spec['seed']}"
    except (OSError, ValueError, KeyError, TypeError):
        what = "without a readable spec.json"
    state = "unfinished" if TrialFolder(folder).result() is None else "finished"
    with _claimed(folder) as free:
        return Garbage(folder, size, f"{what}, {state}", not free)


@contextmanager
def _claimed(folder: Path) -> Iterator[bool]:
    """Whether no trial runs in the folder; none begins before the block ends. A lock that cannot be opened is held."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True  # no trial has ever begun
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
    """The result goes first: a folder half removed is an unfinished trial, never a finished one that lacks files."""
    try:
        (folder / "result.json").unlink(missing_ok=True)
        shutil.rmtree(folder)
    except OSError as error:
        raise TalSearchError(
            f"{folder} cannot be removed ({error.strerror}) after {before} others were; make it writable and repeat"
        ) from error
