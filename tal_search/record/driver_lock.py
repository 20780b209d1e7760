"""Lock that lets one driver at a time run a study; a second driver is refused with the name of the first.

Every driver locks a file in the study's folder; if the record is on PostgreSQL, which drivers on several machines can
reach, it also holds a lease there (`lease.py`). A lock can be lost while its driver runs: the file or its folder is
replaced or removed, a network file system forgets the lock, the lease expires. A thread looks every two seconds, and
each transaction of the record looks first (`StudyLock.guard`).
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import sqlalchemy

from tal_search.errors import InputError
from tal_search.files.disk import require_writable
from tal_search.files.lock_file import Holder, LockFile, LockLost, holder_in, open_locked, same_file, words
from tal_search.files.threads import repeated
from tal_search.record.lease import Lease

LOCK_FILE = "driver.lock"  # in the study's folder; empty after a clean exit

WATCH_SECONDS = 2.0
JOIN_SECONDS = 1.0  # the thread may wait for a server; an interrupted command has ten seconds in all


@contextmanager
def lock_study(
    folder: Path,
    record: str | None = None,
    *,
    say: Callable[[str], None] | None = None,
    on_lost: Callable[[LockLost], None] | None = None,
) -> Iterator[StudyLock]:
    """Lock the study in a folder until the block ends or the process dies.

    record: its URL, where it is not in the folder; one on PostgreSQL is locked too. say: gets a sentence if the last
    driver was killed, one when the server cannot be reached, and one when it can be again. on_lost: called in another
    thread, every two seconds, once the study is no longer held.

    Raises InputError if another driver runs the study or the folder cannot be written or locked, LockLost if a signal
    ends the block after the lock was lost.
    """
    require_writable(folder)
    me: Holder = {**_myself(), "id": secrets.token_hex(8)}
    lease = Lease(record, folder.name, me, say or _ignore) if record and _is_postgresql(record) else None
    file, left = _lock_both(folder, me, lease)
    lock = StudyLock(file, lease, on_lost or _ignore)
    try:
        if left is not None and say is not None:
            say(left)
        with lock.watched():
            yield lock
    except KeyboardInterrupt:
        lock.raise_if_lost()
        raise
    finally:
        if lease is not None:
            lease.release()
        file.release()


class StudyLock:
    """A driver's hold on a study."""

    def __init__(self, file: LockFile, lease: Lease | None, on_lost: Callable[[LockLost], None]) -> None:
        self._lease, self._on_lost = lease, on_lost
        self._checks: list[Callable[[], None]] = [file.check]
        self._lost: LockLost | None = None

    def guard(self, engine: sqlalchemy.Engine, lock_seconds: Callable[[], float], file: Path | None = None) -> None:
        """Check the lock at the start of every transaction of an engine; see `Lease.check`.

        file: the database, where it is a file, which must stay the same.
        """
        if file is not None:
            self._checks.append(same_file(file, "restore it, then run the same command again"))

        def check(connection: sqlalchemy.Connection) -> None:
            self._look()
            if self._lease is not None:
                with self._noted():
                    self._lease.check(connection, lock_seconds())

        sqlalchemy.event.listen(engine, "begin", check)

    def check(self) -> None:
        """For writes elsewhere than in the record: raise LockLost if the study is no longer held.

        Raises Unconfirmed while its lease may have expired.
        """
        self._look()
        if self._lease is not None:
            with self._noted():
                self._lease.check_time()

    @property
    def lost(self) -> bool:
        return self._lost is not None

    def raise_if_lost(self) -> None:
        """Raise LockLost if that was noticed before."""
        if self._lost is not None:
            raise LockLost(str(self._lost)) from None

    def watched(self) -> AbstractContextManager[None]:
        """Renew the lease and check the lock in another thread during the block."""
        return repeated(self._watch, WATCH_SECONDS, name="driver-lock", join_seconds=JOIN_SECONDS)

    def _watch(self) -> None:
        with suppress(LockLost):
            self._look()
            if self._lease is not None:
                with self._noted():
                    self._lease.renew()
        if self._lost is not None:
            self._on_lost(self._lost)

    def _look(self) -> None:
        self.raise_if_lost()
        with self._noted():
            for check in self._checks:
                check()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except LockLost as error:
            self._lost = self._lost or error
            raise


def _lock_both(folder: Path, me: Holder, lease: Lease | None) -> tuple[LockFile, str | None]:
    """Lock the folder and take the lease; returns the locked file, and a message if the last driver was killed."""
    path = folder / LOCK_FILE
    file, free = open_locked(path)
    try:
        known = holder_in(file)
        if not free and lease is None:
            raise InputError(_refusal(str(folder), known))
        left = lease and lease.take(lambda holder: _refusal(folder.name, holder), dead=known if free else None)
        if not free:
            if left is None or left != known:
                raise InputError(_refusal(str(folder), known))
            # A driver that lost its lease keeps its lock of the file while it is stopped.
            path.unlink(missing_ok=True)
            file.close()
            file, free = open_locked(path)
            if not free:
                raise InputError(_refusal(str(folder), holder_in(file)))
        return LockFile(file, path, me), _was_killed(left or known)
    except BaseException:
        if lease is not None:
            lease.release()
        file.close()
        raise


def _is_postgresql(record: str) -> bool:
    return sqlalchemy.make_url(record).get_backend_name() == "postgresql"


def _myself() -> dict[str, object]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}


def _was_killed(left: object) -> str | None:
    return None if left is None else f"The last run of this study ({words(left)}) was killed; this run continues it."


def _refusal(study: str, holder: object) -> str:
    return f"the study of {study} is running already: {words(holder)}; wait for it or stop it"


def _ignore(_: object) -> None:
    pass
