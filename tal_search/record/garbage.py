"""Garbage collection in a runs folder: trial folders that no record names, and feature arrays that no trial reads.

Arrays are kept if a trial that a record names, or one that is running, reads them with this version of the code. Open
memory maps of removed arrays stay valid; arrays are rebuilt on demand.
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

from tal_search.data.features.shared import MANIFEST, SPLITS, place_of
from tal_search.errors import Problems, TalSearchError
from tal_search.files.checked import Damaged, read_sealed
from tal_search.record.lease import connect_options
from tal_search.record.optuna_tables import values_of_attribute
from tal_search.record.record_reader import BUSY_SECONDS
from tal_search.record.seal import require_sound
from tal_search.record.storage import shown
from tal_search.text.printable import first_line
from tal_search.trial.folder import TrialFolder

KEY = re.compile("[0-9a-f]{20}")
ARRAYS = re.compile("([0-9a-f]{20})(\\.unfinished)?")


class Garbage(NamedTuple):
    """A folder that no study refers to. what: its description; running: a process holds its lock, so it is kept."""

    path: Path
    bytes: int
    what: str
    running: bool


def unreferenced(runs: Path) -> list[Garbage]:
    """The folders that `remove` would remove from a runs folder: trials by name, then arrays.

    Raises InputError if a record cannot be read.
    """
    folders, arrays = _candidates(runs)
    return [*(_garbage(folder, _trial_words(folder)) for folder in folders),
            *(_garbage(folder, _array_words(folder)) for folder in arrays)]  # fmt: skip


def remove(runs: Path, garbage: Sequence[Garbage]) -> list[Garbage]:
    """Remove these folders; returns those removed.

    Folders that a study has begun to use since, or in which a trial now runs, are kept, as is anything in `runs` that
    is not a folder of a trial or of arrays. Raises InputError, with nothing removed, if a record cannot be read;
    TalSearchError if a folder cannot be removed.
    """
    folders, arrays = _candidates(runs)
    removed: list[Garbage] = []
    for item in garbage:
        if item.path not in (*folders, *arrays):
            continue
        with _locked(item.path) as free:
            if free:
                _remove(item.path, len(removed))
                removed.append(item)
    return removed


def _candidates(runs: Path) -> tuple[list[Path], list[Path]]:
    """Trial folders that no record names, and array folders that no remaining trial reads."""
    folders = _folders(runs / "trials", KEY)  # listed before the records are read, so a new folder is never a candidate
    named = _referenced(runs)
    unnamed = [folder for folder in folders if folder.name not in named]
    arrays = _folders(runs / "features", ARRAYS)
    if arrays:
        wanted = {_arrays_of(folder) for folder in folders if folder.name in named or _held(folder)}
        arrays = [folder for folder in arrays if folder.name.partition(".")[0] not in wanted]
    return unnamed, arrays


def _folders(parent: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Folders directly in `parent` with names of this pattern; links are not followed."""
    with suppress(FileNotFoundError), os.scandir(parent) as entries:
        names = [
            entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and pattern.fullmatch(entry.name)
        ]
        return [parent / name for name in sorted(names)]
    return []


def _arrays_of(folder: Path) -> str | None:
    """The name of the arrays that a trial reads; None if its folder does not say."""
    spec = TrialFolder(folder).spec()
    return None if spec is None else place_of(Path(), spec.dataset.fingerprint, spec.dataset.kept_snippets).name


def _referenced(runs: Path) -> set[str]:
    """Keys of the trials, in any state, of every record. Raises InputError with every record that cannot be read."""
    keys: set[str] = set()
    problems = Problems()
    for path in sorted([*runs.glob("*/record.db"), *runs.glob("*/record.url")]):
        where: Path | str = path
        try:
            where = path if path.suffix == ".db" else path.read_text().strip()
            if path.suffix == ".db":
                require_sound(path)
            keys |= _keys(where)
        except Damaged as error:
            problems.add(f"{error}; nothing is removed")
        except (OSError, SQLAlchemyError, ImportError, ValueError, AttributeError) as error:
            place = path if where == path else f"{path} names {shown(where)}, which"
            problems.add(
                f"{place} cannot be read as a record ({_reason(error)}), so nothing is removed; "
                "restore it, or start its server"
            )
    problems.raise_if_any()
    return keys


def _reason(error: Exception) -> str:
    """One line, without SQLAlchemy's message about a URL that it cannot parse: that may quote the password."""
    if isinstance(error, ArgumentError):
        return "this is not a URL of a database"
    return first_line(getattr(error, "orig", None) or error)


def _keys(where: Path | str) -> set[str]:
    """Keys of all trials of all studies in one record; cells of a sampler have none."""
    engine = _engine(where)
    try:
        with engine.connect() as connection:
            # Twice, because a damaged name would have its folder removed.
            names = [*values_of_attribute(connection, "key"), *values_of_attribute(connection, "id")]
            return {json.loads(text).partition("-")[0] for text in names}
    finally:
        engine.dispose()


def _engine(where: Path | str) -> sqlalchemy.Engine:
    """A connection to the record, to which a driver may be writing; a file that is absent is not created."""
    if isinstance(where, str):
        return sqlalchemy.create_engine(where, poolclass=NullPool, **connect_options(where))
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
    trial = TrialFolder(folder)
    spec = trial.spec()
    what = f"{spec.method}, annotator {spec.annotator}, seed {spec.seed}" if spec else "without a readable spec.json"
    return f"{what}, {'unfinished' if trial.result() is None else 'finished'}"


def _array_words(folder: Path) -> str:
    try:
        manifest = read_sealed(folder / MANIFEST)
        videos = sum(len(manifest[split]["videos"]) for split in SPLITS)
    except (OSError, KeyError, TypeError, Damaged):
        return "features, unfinished"
    return f"features of {videos} videos"


def _held(folder: Path) -> bool:
    with _locked(folder) as free:
        return not free


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock the folder for the block; False if a process works in it, or its lock cannot be read."""
    arrays = folder.parent.name == "features"
    lock = folder.with_name(f"{folder.name.partition('.')[0]}.lock") if arrays else folder / "lock"
    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True  # no process has worked in it
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
    """The files that mark it as complete are removed first: a half-removed folder is never taken for a finished one."""
    try:
        for name in ("result.json", MANIFEST):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder)
    except OSError as error:
        raise TalSearchError(
            f"{folder} cannot be removed ({error.strerror}) after {before} others were; make it writable and repeat"
        ) from error
