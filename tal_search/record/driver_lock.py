"""One driver a study: the second is told who runs it, and what a killed one left behind is taken over."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy

from tal_search.errors import InputError
from tal_search.files.disk import require_writable

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

HOLDER = "driver"
ADVISORY = 7416  # the first number of our locks in PostgreSQL; the second is the study's id
LOCK_FILE = "driver.lock"  # in the study's folder; empty after a run that ended in order


@contextmanager
def claimed(folder: Path) -> Iterator[str | None]:
    """The study's folder, held by this process alone until the block ends or the process dies.

    Gives a sentence where an earlier driver was killed. Raises InputError where another one runs, or the folder cannot
    be written.
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
            yield None if left is None else f"The last run of this study ({_words(left)}) was killed; this one goes on."
        finally:
            _write(lock, "")


@contextmanager
def claimed_in_database(storage: RDBStorage, study: str) -> Iterator[None]:
    """The same for a record that drivers on several machines can reach: a lock of PostgreSQL's, gone with its holder.

    Other databases are guarded by the lock in the study's folder alone.
    """
    if storage.engine.dialect.name != "postgresql":
        yield
        return
    study_id = storage.get_study_id_from_name(study)
    with storage.engine.connect() as connection:
        statement = sqlalchemy.text("SELECT pg_try_advisory_lock(:ours, :id)")
        got = connection.execute(statement, {"ours": ADVISORY, "id": study_id}).scalar()
        connection.commit()
        if not got:
            raise InputError(_refusal(study, storage.get_study_user_attrs(study_id).get(HOLDER)))
        storage.set_study_user_attr(study_id, HOLDER, _myself())
        yield


def held_in_database(connection: sqlalchemy.Connection, study: str) -> bool:
    """Whether a driver holds a study on PostgreSQL; its lock is looked up and not tried."""
    statement = sqlalchemy.text(
        "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "JOIN studies s ON s.study_id = CAST(l.objid AS bigint) "
        "WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database() "
        "AND CAST(l.classid AS bigint) = :ours AND s.study_name = :study)"
    )
    return bool(connection.execute(statement, {"ours": ADVISORY, "study": study}).scalar())


def _myself() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _words(holder: Any) -> str:
    known = holder if isinstance(holder, dict) else {}
    host, pid, started = (known.get(name, "unknown") for name in ("host", "pid", "started"))
    return f"process {pid} on {host}, started {started}"


def _refusal(study: str, holder: Any) -> str:
    return f"the study of {study} is running already: {_words(holder)}; wait for it or stop it"


def _read(lock: Any) -> Any:
    """What the last holder wrote; None where it ended in order."""
    lock.seek(0)
    text = lock.read().strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _write(lock: Any, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()
