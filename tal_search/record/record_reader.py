"""A study's record as dashboards and `status` read it: never written, read again only where it grew."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tal_search.errors import InputError, MissingExtra
from tal_search.record.driver_lock import held_in_database

STATES = {"COMPLETE": "done", "RUNNING": "running", "WAITING": "running", "FAIL": "failed", "PRUNED": "stopped early"}
ENDED = ("done", "failed", "stopped early")
BUSY_SECONDS = 5


class Row(NamedTuple):
    """One Optuna trial; times as the database has them, the rest its attributes as JSON text, None where not set."""

    number: int
    state: str
    started: Any
    ended: Any
    id: str | None
    cell: str | None
    annotator: str | None
    seed: str | None
    method: str | None
    annotation_seconds: str | None
    epoch: str | None
    cached: str | None
    result: str | None
    reason: str | None


ATTRIBUTES = Row._fields[Row._fields.index("id") :]


class RecordReader:
    """The trials of one study, of the record in its folder: `record.db`, or the database that `record.url` names.

    still: no process writes to the file, so it is read without a lock and without SQLite's files beside it.
    wanted: of ATTRIBUTES, those that are read; the rest stay None.
    """

    def __init__(self, folder: Path, *, still: bool = False, wanted: Collection[str] = ATTRIBUTES) -> None:
        self.folder, self.study, self._wanted = folder, folder.name, wanted
        self._rows: dict[int, Row] = {}
        self._seen: object = None
        self._engine = _engine(folder, still)

    def rows(self) -> tuple[dict[int, Row], bool]:
        """Trials by trial id in order, and whether anything changed since the last call. InputError: no such record."""
        mark = self._mark()
        if mark is not None and mark == self._seen:
            return self._rows, False
        with self._connected() as connection:
            changed = self._read(connection)
        self._seen = mark
        return self._rows, changed

    def attributes(self) -> dict[str, Any]:
        """What the record says of the study itself. InputError where it holds no such study."""
        statement = sqlalchemy.text(
            "SELECT a.key, a.value_json FROM studies s LEFT JOIN study_user_attributes a ON a.study_id = s.study_id "
            "WHERE s.study_name = :study"
        )
        with self._connected() as connection:
            found = connection.execute(statement, {"study": self.study}).all()
        if not found:
            raise InputError(f"{self.folder}: its record holds no study of the name {self.study}; run the study first")
        return {key: json.loads(value) for key, value in found if key is not None}

    def last_change(self) -> Any:
        """When a trial last began or ended, as the database has times; None before the first."""
        statement = sqlalchemy.text(
            "SELECT max(t.datetime_start), max(t.datetime_complete) FROM trials t "
            "JOIN studies s ON s.study_id = t.study_id WHERE s.study_name = :study"
        )
        with self._connected() as connection:
            times = connection.execute(statement, {"study": self.study}).one()
        return max((when for when in times if when is not None), default=None)

    def has_driver(self) -> bool | None:
        """Whether a driver, on whatever machine, holds a record on PostgreSQL; None of any other record."""
        if self._engine.dialect.name != "postgresql":
            return None
        with self._connected() as connection:
            return held_in_database(connection, self.study)

    @contextmanager
    def _connected(self) -> Iterator[sqlalchemy.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise InputError(f"{self.folder}: the record cannot be read ({_first_line(error)})") from None

    def _mark(self) -> object:
        """Sizes and times of the files; None of a database elsewhere, which is asked each time."""
        files = [self.folder / "record.db", self.folder / "record.db-wal"]
        if (self.folder / "record.url").exists():
            return None
        return [(stat.st_mtime_ns, stat.st_size) for stat in (path.stat() for path in files if path.exists())]

    def _read(self, connection: sqlalchemy.Connection) -> bool:
        """Take in what is new: trials that ended do not change any more."""
        of_study = "FROM trials t JOIN studies s ON s.study_id = t.study_id WHERE s.study_name = :study"
        ids = connection.execute(sqlalchemy.text(f"SELECT t.trial_id {of_study}"), {"study": self.study}).scalars()
        open_ids = {one for one in ids if one not in self._rows or self._rows[one].state not in ENDED}
        if not open_ids:
            return False
        # A value each, found by the index of trial and key, takes a third of the time of a row an attribute.
        values = ", ".join(
            f"(SELECT a.value_json FROM trial_user_attributes a WHERE a.trial_id = t.trial_id AND a.key = '{name}')"  # noqa: S608
            if name in self._wanted
            else "NULL"
            for name in ATTRIBUTES
        )
        statement = sqlalchemy.text(
            f"SELECT t.trial_id, t.number, t.state, t.datetime_start, t.datetime_complete, {values} {of_study} "
            "AND t.trial_id >= :first ORDER BY t.trial_id"
        )
        found = connection.execute(statement, {"study": self.study, "first": min(open_ids)})
        for trial_id, number, state, *rest in found.all():
            if trial_id in open_ids:
                self._rows[trial_id] = Row(number, STATES[state], *rest)
        return True


def is_asked_for(cell: Mapping[str, Any], axes: Collection[str], centre: Mapping[str, Any]) -> bool:
    """Whether a study has the cell: off its centre only along its axes.

    An axis that was dropped and a setting that was rescored leave cells behind that are none of the study's any more.
    """
    return all(name in axes or centre.get(name, value) == value for name, value in cell.items())


def recorded_studies(runs: Path) -> Iterator[str]:
    """Names of the studies that have a record in a runs folder."""
    for folder in sorted(runs.iterdir()) if runs.is_dir() else ():
        if (folder / "record.db").exists() or (folder / "record.url").exists():
            yield folder.name


def _engine(folder: Path, still: bool) -> sqlalchemy.Engine:
    if (folder / "record.url").exists():
        try:
            return sqlalchemy.create_engine((folder / "record.url").read_text().strip(), poolclass=NullPool)
        except ImportError:
            raise MissingExtra("psycopg", "postgres") from None
    path = folder / "record.db"
    # A folder that may not be written has no place for the lock file that reading beside a writer takes.
    shared = os.access(folder, os.W_OK) or path.with_name("record.db-wal").exists()
    mode = "mode=ro" if shared and not still else "immutable=1"
    url = f"file:{quote(str(path.resolve()))}?{mode}"
    connect = lambda: sqlite3.connect(url, uri=True, timeout=BUSY_SECONDS)  # noqa: E731
    return sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
