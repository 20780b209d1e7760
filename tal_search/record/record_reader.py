"""Reader of a study's record for the dashboards and `tal-search status`: never writes, never rereads ended trials."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from tal_search.errors import InputError, MissingExtra
from tal_search.files.checked import Damaged
from tal_search.record import optuna_tables, seal
from tal_search.record.lease import connect_options, held_in_database
from tal_search.record.optuna_tables import SETTINGS, Time
from tal_search.text.printable import first_line

STATES = {"COMPLETE": "done", "RUNNING": "running", "WAITING": "running", "FAIL": "failed", "PRUNED": "stopped early"}
ENDED = ("done", "failed", "stopped early")
NO_TABLE = "no such table"  # SQLite's words; records are made whole, so one without tables was emptied
BUSY_SECONDS = 5  # SQLite's busy timeout
CHUNK = 10_000  # trial ids in a statement; SQLite takes 32 766


class Row(NamedTuple):
    """One Optuna trial. From `id` on: user attributes as JSON text, None where not set."""

    number: int
    state: str
    started: Time | None
    ended: Time | None
    id: str | None
    cell: str | None
    annotator: str | None
    seed: str | None
    fold: str | None
    method: str | None
    annotation_seconds: str | None
    annotation_total: str | None
    epoch: str | None
    cached: str | None
    result: str | None
    reason: str | None
    code_version: str | None


ATTRIBUTES = Row._fields[Row._fields.index("id") :]


class RecordReader:
    """The trials of one study, of the record in its folder: `record.db`, or the database that `record.url` names.

    still: no process writes to the file, so it is read without a lock and without SQLite's files beside it.
    wanted: those of ATTRIBUTES to read; the others are None.
    """

    def __init__(self, folder: Path, *, still: bool = False, wanted: Collection[str] = ATTRIBUTES) -> None:
        self.folder, self.study = folder, folder.name
        self._names = [name if name in wanted else None for name in ATTRIBUTES]
        self._rows: dict[int, Row] = {}
        self._seen: object = None
        self._engine = _engine(folder, still)

    def rows(self) -> tuple[dict[int, Row], bool]:
        """Trials by trial id, in order, and whether any changed since the last call. Raises InputError: unreadable."""
        mark = self._mark()
        if mark is not None and mark == self._seen:
            return self._rows, False
        with self._connected() as connection:
            changed = self._read(connection)
        self._seen = mark
        return self._rows, changed

    def description(self) -> dict[str, Any]:
        """The study's metadata (see `record.description`), empty where it has none.

        Raises InputError where the record holds no such study.
        """
        with self._connected() as connection:
            attributes = optuna_tables.study_attributes(connection, self.study)
        if attributes is None:
            raise InputError(f"{self.folder}: its record has no study named {self.study}; run the study first")
        about = attributes.get("about")
        return about if isinstance(about, dict) else {}

    def settings(self) -> dict[str, Any] | None:
        """The settings that the study was started with, see `plan.compatibility`; None where it has none.

        Raises InputError where the record cannot be read.
        """
        with self._connected() as connection:
            kept = (optuna_tables.study_attributes(connection, self.study) or {}).get(SETTINGS)
        return kept if isinstance(kept, dict) else None

    def last_change(self) -> Time | None:
        """When a trial last began or ended; None before the first."""
        with self._connected() as connection:
            return optuna_tables.last_change(connection, self.study)

    def has_driver(self) -> bool | None:
        """Whether a driver on any machine holds the study; None where the record is not on PostgreSQL."""
        if self._engine.dialect.name != "postgresql":
            return None
        with self._connected() as connection:
            return held_in_database(connection, self.study)

    def damage(self) -> Damaged | None:
        """What is wrong with the record if its file is not as its last driver left it: any number may be wrong."""
        if not (self.folder / "record.url").exists():
            try:
                seal.require_whole(self.folder / "record.db")
            except Damaged as error:
                return error
        return None

    @contextmanager
    def _connected(self) -> Iterator[sqlalchemy.Connection]:
        file = self.folder / "record.db"
        local = not (self.folder / "record.url").exists()
        try:
            with self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            damaged = local and (seal.is_damage(error) or NO_TABLE in str(error))
            fix = f"; {seal.FIX.format(name=file.name)}" if damaged else ""
            raise InputError(f"{self.folder}: the record cannot be read ({first_line(error)}){fix}") from None
        except seal.UNREADABLE as error:
            raise unreadable(self.folder, error) from error

    def _mark(self) -> object:
        """Sizes and times of the files; None where the record is on a server, which is read each time."""
        files = [self.folder / "record.db", self.folder / "record.db-wal"]
        if (self.folder / "record.url").exists():
            return None
        return [(stat.st_mtime_ns, stat.st_size) for stat in (path.stat() for path in files if path.exists())]

    def _read(self, connection: sqlalchemy.Connection) -> bool:
        """Read new trials and those that had not ended; a trial that has ended does not change any more."""
        open_ids = [trial for trial, row in self._rows.items() if row.state not in ENDED]
        changed = False
        for first in range(0, max(1, len(open_ids)), CHUNK):
            last, some = max(self._rows, default=-1), open_ids[first : first + CHUNK]
            for trial in optuna_tables.trials_after(connection, self.study, last, some, self._names):
                row = Row(trial.number, STATES[trial.state], trial.started, trial.ended, *trial.attributes)
                changed |= row != self._rows.get(trial.trial_id)
                self._rows[trial.trial_id] = row
        return changed


def unreadable(folder: Path, error: Exception) -> InputError:
    """The error of a record whose content cannot be read."""
    if (folder / "record.url").exists():
        return InputError(f"{folder}: the record is damaged ({first_line(error)}); restore its database")
    return seal.damaged(folder / "record.db", error)


def is_asked_for(cell: Mapping[str, object], axes: Collection[str], centre: Mapping[str, object]) -> bool:
    """Whether a cell belongs to a study: it differs from the centre only along the study's axes.

    A dropped axis or a rescored setting leaves cells in the record that no longer belong to the study.
    """
    return all(name in axes or centre.get(name, value) == value for name, value in cell.items())


def trials_of_one_code(rows: Iterable[Row], versions: Mapping[str, Collection[str]]) -> tuple[list[Row], int]:
    """The newest attempt of each trial, of one code in each repeat; and how many trials of other code are left out.

    versions: code versions by method, as the study's last run uses them; trials of other methods stay. Where a repeat
    of a cell still has two trials, a finished one counts, else the newest: a mean over both would mix their code.
    """
    newest = {row.id: row for row in rows if row.id is not None}
    now: dict[object, Row] = {}
    for row in newest.values():
        wanted = versions.get(json.loads(row.method)) if row.method is not None else None
        if wanted is not None and row.code_version is not None and json.loads(row.code_version) not in wanted:
            continue
        repeat = row.id if row.cell is None else (row.cell, row.seed, row.annotator, row.fold)
        known = now.get(repeat)
        if known is None or (row.state == "done", row.number) > (known.state == "done", known.number):
            now[repeat] = row
    return list(now.values()), len(newest) - len(now)


def recorded_studies(runs: Path) -> Iterator[str]:
    """Names of the studies that have a record in a runs folder."""
    for folder in sorted(runs.iterdir()) if runs.is_dir() else ():
        if (folder / "record.db").exists() or (folder / "record.url").exists():
            yield folder.name


def _engine(folder: Path, still: bool) -> sqlalchemy.Engine:
    named = folder / "record.url"
    if named.exists():
        try:
            url = named.read_text().strip()
            return sqlalchemy.create_engine(url, poolclass=NullPool, **connect_options(url))
        except ImportError:
            raise MissingExtra("psycopg", "postgres") from None
        except (OSError, ValueError, ArgumentError):  # their messages may quote a password
            fix = "write the URL of the study's record into it, or run the study again with record=URL"
            raise InputError(f"{named} cannot be read as the URL of a database; {fix}") from None
    path = folder / "record.db"
    # Reading beside a writer makes a lock file, which a read-only folder has no place for.
    shared = os.access(folder, os.W_OK) or path.with_name("record.db-wal").exists()
    mode = "mode=ro" if shared and not still else "immutable=1"
    url = f"file:{quote(str(path.resolve()))}?{mode}"
    connect = lambda: sqlite3.connect(url, uri=True, timeout=BUSY_SECONDS)  # noqa: E731
    return sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=NullPool)
