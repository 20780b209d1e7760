"""Whole operations on a record, retried while its database is locked, unreachable or out of space.

An operation is safe to repeat from its start, also where it was committed and the answer was lost. Those made while
trials run go through a queue (`enqueue`): if the record cannot be written they stay in it, in order, and the driver
goes on, so that no trial waits for the record.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import sqlalchemy
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError

from tal_search.errors import TalSearchError
from tal_search.files.disk import retry_when_full
from tal_search.files.lock_file import LockLost
from tal_search.record.lease import Unconfirmed
from tal_search.text.printable import first_line

Result = TypeVar("Result")

# Errors that may pass: in SQLite by the beginning of their names, in PostgreSQL by that of their SQLSTATE. Its classes
# are a broken connection, a transaction rolled back, resources, locks, an intervention and the server's own disk. The
# last two: the server ended the session of a driver that was stopped, or is a standby and read-only.
AWAY_SQLITE = tuple(f"SQLITE_{name}" for name in ("BUSY", "LOCKED", "CANTOPEN", "IOERR", "FULL", "PROTOCOL", "SCHEMA"))
AWAY_POSTGRESQL = ("08", "40", "53", "55", "57", "58", "25P03", "25006")
ODD_POSTGRESQL = ("42501", "42P01", "42703")  # a right, a table or a column that is missing

AWAY_SECONDS = 600.0  # the run ends if the database is away for longer
POLL_SECONDS = 0.5
SLICE_SECONDS = 0.1  # the queue is drained in slices, so that trials are not blocked
WARN_SECONDS = 2.0  # warn if the record is locked for longer
BUSY_SECONDS = 5  # longest wait inside the database for a lock; short, so that signals are handled
QUEUE_BUSY_SECONDS = 0.05  # the same while the queue is drained; most transactions of other processes are shorter


class Operations:
    """Runs operations on a record, now (`retry`) or in a queue (`enqueue`).

    folder: of the study; a process that waits for disk space leaves its marker beside it. say: gets a sentence when
    queued operations begin to wait, and one when they are done. check: called before each queued action; raises an
    error where the study may no longer be written, or Unconfirmed where the action must wait.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], None] | None = None, check: Callable[[], None] | None = None
    ) -> None:
        self._folder, self._say, self._check = folder, say or _ignore, check or _nothing
        self._queue: deque[Callable[[], object]] = deque()
        self._draining = False  # an operation that finds the database locked or away then fails at once
        self._failing_since: float | None = None  # when the action at the head of the queue first failed
        self._next_try = 0.0
        self._warned = False

    def busy_seconds(self) -> float:
        """How long the database may wait for a lock in the next transaction."""
        if not self._draining:
            return BUSY_SECONDS
        return QUEUE_BUSY_SECONDS if self._failing_since is None else 0.0

    def permitted(self) -> bool:
        """Whether the study may still be written; see `check`."""
        try:
            self._check()
        except (LockLost, Unconfirmed):
            return False
        return True

    def limit_waits(self, engine: sqlalchemy.Engine) -> None:
        """Have SQLite wait no longer than that; for PostgreSQL see `StudyLock.guard`."""

        def set_busy_timeout(connection: DBAPIConnection, *_: object) -> None:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={int(1000 * self.busy_seconds())}")
            cursor.close()

        if engine.dialect.name == "sqlite":
            sqlalchemy.event.listen(engine, "checkout", set_busy_timeout)

    def retry(self, operation: Callable[[], Result]) -> Result:
        """The result of an operation, retried while the disk is full (indefinitely) or the database is away.

        In a queued action, the error of a locked or unreachable database is raised at once: the queue runs the whole
        action again. Raises TalSearchError after AWAY_SECONDS without a database.
        """
        until = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return retry_when_full(lambda: _with_database_error(operation), self._folder)
            except DBAPIError as error:
                if refused := _refused(error):
                    raise refused from error
                if not _is_away(error) or self._draining:
                    raise
                if time.monotonic() > until:
                    raise _away(error) from error
                time.sleep(POLL_SECONDS)

    def enqueue(self, action: Callable[[], object]) -> None:
        """Run an action after those in the queue: now, or in a later call of `enqueue` or `flush`.

        Actions that read the record, or report that something was written, are queued too, after the writes.
        """
        self._queue.append(action)
        if time.monotonic() >= self._next_try:
            self._drain(SLICE_SECONDS)

    def flush(self, seconds: float = math.inf) -> int:
        """Wait up to `seconds` for the queue to empty; returns the number of actions left."""
        until = time.monotonic() + seconds
        while not self._drain(math.inf) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return len(self._queue)

    def _drain(self, seconds: float) -> bool:
        """Run queued actions for about `seconds`; returns whether the queue is empty."""
        until = time.monotonic() + seconds
        self._draining = True
        try:
            self._check()
            while self._queue:
                if time.monotonic() > until:
                    return False
                self._queue[0]()
                self._queue.popleft()
                self._failing_since = None
                self._check()
        except (DBAPIError, Unconfirmed) as error:
            if not _is_away(error):
                self._queue.clear()
                if refused := _refused(error):
                    raise refused from error
                raise
            self._postpone(error)
            return False
        except BaseException:
            self._queue.clear()  # later actions build on the one that failed
            raise
        finally:
            self._draining = False
        if self._warned:
            self._say("the record can be written again, and has every result")
        self._warned = False
        return True

    def _postpone(self, error: Exception) -> None:
        now = time.monotonic()
        self._next_try = now + POLL_SECONDS
        self._failing_since = self._failing_since or now
        if now - self._failing_since > AWAY_SECONDS:
            self._queue.clear()
            raise _away(error) from error
        if now - self._failing_since > WARN_SECONDS and not self._warned:
            self._warned = True
            self._say(
                f"the record cannot be written ({first_line(error)}); trials continue, and their results are kept "
                "in their folders until it can be written"
            )


def _is_away(error: Exception) -> bool:
    """Whether the database is locked, full or cannot be reached, so that the same operation may succeed later."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, Unconfirmed)
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_name(error).startswith(AWAY_SQLITE)
    state = _sqlstate(error)
    if error.connection_invalidated or state is None:  # the driver's own errors, such as a connection refused
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return state.startswith(AWAY_POSTGRESQL)


def _refused(error: Exception) -> TalSearchError | None:
    """A sentence for a database that is damaged, read-only or changed; None for other errors, the program's own."""
    if not isinstance(error, DBAPIError) or _is_away(error):
        return None
    if type(error) is DatabaseError:
        wrong, fix = "is damaged", "restore it, or move it away"
    elif _sqlite_name(error).startswith("SQLITE_READONLY"):
        wrong, fix = "is read-only", "make its file and folder writable"
    elif isinstance(error, OperationalError | InternalError) or _sqlstate(error) in ODD_POSTGRESQL:
        wrong, fix = "refuses to be read or written", "correct it or the rights of its user, or move it away"
    else:
        return None
    return TalSearchError(
        f"the record's database {wrong} ({first_line(error)}); {fix} and run the same command again: results of "
        "finished trials are in their folders"
    )


def _sqlite_name(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", ""))


def _sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code of the error, under the names of psycopg and psycopg2; None where it is the driver's own."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return state if isinstance(state, str) else None


def _with_database_error(operation: Callable[[], Result]) -> Result:
    """The result of an operation; raises the database's own error where Optuna wraps it in another."""
    try:
        return operation()
    except Exception as error:
        cause = next((inner for inner in _chain(error) if isinstance(inner, DBAPIError)), error)
    raise cause  # outside the handler, so that it does not become its own context


def _away(error: Exception) -> TalSearchError:
    return TalSearchError(
        f"the record's database was unavailable for {AWAY_SECONDS / 60:.0f} minutes ({first_line(error)}); start it, "
        "then run the same command again: results of finished trials are in their folders"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _ignore(_: object) -> None:
    pass


def _nothing() -> None:
    pass
