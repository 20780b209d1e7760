"""Lock that lets one driver at a time run a study; a second driver is refused with the name of the first."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import sqlalchemy

from tal_search.errors import InputError
from tal_search.files.disk import require_writable
from tal_search.record.optuna_tables import id_of_study

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

HOLDER = "driver"
ADVISORY = 7416  # first key of our advisory locks in PostgreSQL, chosen arbitrarily; the second is the study's id
LOCK_FILE = "driver.lock"  # in the study's folder; empty after a clean exit


@contextmanager
def lock_study(folder: Path) -> Iterator[str | None]:
    """Lock the study's folder until the block ends or the process dies.

    Yields a message if the last driver was killed, None after a clean exit. Raises InputError if another driver runs
    or the folder cannot be written.
    """
    require_writable(folder)
    with (folder / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(_refusal(str(folder), _read(lock))) from error
        left = _read(lock)
        _write(lock, json.dumps(_myself()))
        try:
            yield (
                None
                if left is None
                else f"The last run of this study ({_words(left)}) was killed; this run continues it."
            )
        finally:
            _write(lock, "")


@contextmanager
def lock_study_in_database(storage: RDBStorage, study: str) -> Iterator[None]:
    """Lock a study whose record is on PostgreSQL, where drivers on several machines can reach it.

    The lock ends with the connection. With any other database, only the study's folder is locked.
    """
    if storage.engine.dialect.name != "postgresql":
        yield
        return
    locked = storage.get_study_id_from_name(study)
    with storage.engine.connect() as connection:
        statement = sqlalchemy.text("SELECT pg_try_advisory_lock(:ours, :id)")
        got = connection.execute(statement, {"ours": ADVISORY, "id": locked}).scalar()
        connection.commit()
        if not got:
            raise InputError(_refusal(study, storage.get_study_user_attrs(locked).get(HOLDER)))
        storage.set_study_user_attr(locked, HOLDER, _myself())
        yield


def held_in_database(connection: sqlalchemy.Connection, study: str) -> bool:
    """Whether a driver holds a study on PostgreSQL. The lock is looked up, not tried."""
    statement = sqlalchemy.text(
        "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database() "
        "AND CAST(l.classid AS bigint) = :ours AND CAST(l.objid AS bigint) = :id)"
    )
    return bool(connection.scalar(statement, {"ours": ADVISORY, "id": id_of_study(connection, study)}))


def _myself() -> dict[str, object]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _words(holder: object) -> str:
    known = holder if isinstance(holder, dict) else {}
    host, pid, started = (known.get(name, "unknown") for name in ("host", "pid", "started"))
    return f"process {pid} on {host}, started {started}"


def _refusal(study: str, holder: object) -> str:
    return f"the study of {study} is running already: {_words(holder)}; wait for it or stop it"


def _read(lock: TextIO) -> object:
    """The holder written in the lock file; None after a clean exit, {} where it cannot be read."""
    lock.seek(0)
    text = lock.read().strip()
    if not text:
        return None
    try:
        holder: object = json.loads(text)
    except ValueError:
        return {}
    return holder


def _write(lock: TextIO, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()
