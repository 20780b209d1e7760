"""Retry of writes while the disk is full, and a watch that reports the pause.

A waiting process keeps an empty marker file in RUNS, whose name gives the bytes needed. It takes no space and shows
every driver who is waiting. RUNS has few entries, unlike RUNS/trials, so that a look each second costs nothing.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tal_search.errors import InputError, causes
from tal_search.files.heartbeat import beat
from tal_search.files.threads import repeated

POLL_SECONDS = 0.5
STALE_SECONDS = 10.0  # a marker untouched for this long was left by a killed process
RECORD_BYTES = 2**20  # upper limit for one change of a database: a few pages and their write-ahead log

MARKER = re.compile(r"\.waits-for-(\d+)-bytes-.*")
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_SQLITE = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")  # the second: no room for the index of the write-ahead log
FULL_POSTGRESQL = "53100"  # SQLSTATE disk_full
INTERNAL_POSTGRESQL = "XX000"  # SQLSTATE internal_error

T = TypeVar("T")
_waits: dict[int, tuple[Path, int]] = {}  # folder and bytes that each thread of this process waits for


def free_bytes(folder: Path) -> int:
    """Free bytes for this user on the file system of `folder`."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def size_text(count: float) -> str:
    """Bytes in readable units: 512 B, 12.0 KiB, 3.2 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.{0 if unit == 'B' else 1}f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def is_full(error: BaseException) -> bool:
    """Whether an error, or an error that caused it, reports a full disk or an exceeded quota."""
    return any(
        (isinstance(cause, OSError) and cause.errno in FULL)
        or getattr(cause, "sqlite_errorname", None) in FULL_SQLITE
        or _is_full_postgresql(cause)
        for cause in causes(error)
    )


def _is_full_postgresql(error: BaseException) -> bool:
    """The same for an error of psycopg, which is not imported here as it is optional."""
    state = getattr(error, "sqlstate", None)
    # PostgreSQL has no SQLSTATE for an exceeded quota: it is an internal error, with the system's text for EDQUOT.
    return state == FULL_POSTGRESQL or (state == INTERNAL_POSTGRESQL and os.strerror(errno.EDQUOT) in str(error))


def retry_when_full(action: Callable[[], T], folder: Path, needed: int = RECORD_BYTES) -> T:
    """The result of `action`, which writes about `needed` bytes in `folder`; calls it again while the disk is full.

    A failing `action` must leave nothing behind. An exception raised by a signal handler ends the wait.
    """
    try:
        return action()
    except Exception as error:
        if not is_full(error):
            raise
    thread = threading.get_ident()
    marker = _marked(folder) / f".waits-for-{needed}-bytes-{os.getpid()}-{thread}"
    _waits[thread] = folder.absolute(), needed
    try:
        while True:
            with suppress(OSError):
                marker.touch()
            beat("waiting for room on the disk")  # a pause is no stall
            time.sleep(POLL_SECONDS)
            try:
                return action()
            except Exception as error:
                if not is_full(error):
                    raise
    finally:
        _waits.pop(thread, None)
        with suppress(OSError):
            marker.unlink()


@contextmanager
def when_there_is_room(
    opened: Callable[[], AbstractContextManager[T]], folder: Path, say: Callable[[str], None]
) -> Iterator[T]:
    """Enter the context made by `opened`, which writes to `folder`; while the disk is full, say so and try again.

    An error while entering it must leave nothing behind.
    """
    with ExitStack() as stack:
        with DiskWatch(folder.parent, say):
            entered = retry_when_full(lambda: stack.enter_context(opened()), folder)
        yield entered


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path())


def _marked(folder: Path) -> Path:
    """Where a process that waits to write to `folder` leaves its marker: RUNS for RUNS/STUDY and RUNS/trials/KEY."""
    return existing(folder.parents[1] if folder.parent.name == "trials" else folder.parent)


def require_writable(folder: Path) -> None:
    """Create `folder` and write a byte in it. Raises InputError where that fails, as on a read-only file system."""
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"1")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        file = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
        wrong = f"{folder} cannot be written ({error.strerror})" if file is None else f"{file} is a file, not a folder"
        fix = "free some space" if is_full(error) else "make it writable" if file is None else "move it away"
        raise InputError(f"{wrong}; {fix} or choose another folder with runs=FOLDER") from error


def waiting(folder: Path) -> list[int]:
    """Bytes needed by each process that currently waits for space in the runs folder `folder`.

    This process is known even where its marker could not be written.
    """
    whole = folder.absolute()
    own = [needed for waits, needed in list(_waits.values()) if waits.is_relative_to(whole)]
    return [*own, *(size for size, age in _markers(folder) if age < STALE_SECONDS)]


def _markers(folder: Path) -> Iterator[tuple[int, float]]:
    """Bytes needed and age in seconds of each marker."""
    with suppress(OSError), os.scandir(folder) as entries:  # no such folder yet
        for entry in entries:
            match = MARKER.fullmatch(entry.name)
            if match:
                with suppress(FileNotFoundError):  # its process has just resumed
                    yield int(match[1]), time.time() - entry.stat().st_mtime


class DiskWatch:
    """A thread that reports when a process starts to wait for space in the runs folder, and when it goes on.

    It calls `report` with one sentence each time. It is a thread because the driver itself may be waiting.
    """

    def __init__(self, runs: Path, report: Callable[[str], None], every_seconds: float = 1.0) -> None:
        self._runs, self._report, self._every = runs, report, every_seconds
        self._paused = False
        self._watching = ExitStack()

    def __enter__(self) -> DiskWatch:
        self._watching.enter_context(repeated(self.poll, self._every, name="disk-watch"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.close()
        if self._paused:
            self.poll()

    def poll(self) -> None:
        """Report a change since the last call; one whose free space cannot be told is left to the next call."""
        needed = max(waiting(self._runs), default=None)
        if (needed is not None) == self._paused:
            return
        try:
            free = free_bytes(existing(self._runs))
        except OSError:  # a network file system that fails for a moment
            return
        self._paused = needed is not None
        if needed is None:
            self._report(f"goes on: {self._runs} has {size_text(free)} free")
            return
        quota = " (its quota or its number of files is used up)" if free > needed else ""
        self._report(
            f"paused: {self._runs} has {size_text(free)} free{quota}, {size_text(needed)} are needed; "
            "free some space and the study goes on"
        )
