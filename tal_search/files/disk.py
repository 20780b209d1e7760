"""A full disk is waited for: whatever writes tries again until there is room, and whoever watches can say so.

A process that waits keeps an empty marker file in the folder above the one it writes to (RUNS/trials for a trial,
RUNS for a study's record): that needs no room, and the driver learns of waiting workers, their bytes included.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tal_search.errors import InputError

POLL_SECONDS = 0.5
STALE_SECONDS = 10.0  # a marker not touched for this long was left by a killed process
RECORD_BYTES = 2**20  # what a database may add for one change: a few pages, and its log of them

MARKER = re.compile(r"\.waits-for-(\d+)-bytes-.*")
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_TEXTS = ("database or disk is full", os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))  # of databases
FULL_SQLITE = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")  # the second: no room for the index of its write-ahead log

T = TypeVar("T")


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write to the file system of `folder`."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def size_text(count: float) -> str:
    """Bytes for people: 512 B, 12.0 KiB, 3.2 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.{0 if unit == 'B' else 1}f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def is_full(error: BaseException) -> bool:
    """Whether an error, or one that caused it, says that the disk, or this user's share of it, is full."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.errno in FULL:
            return True
        if getattr(at, "sqlite_errorname", None) in FULL_SQLITE or any(text in str(at) for text in FULL_TEXTS):
            return True
        at = at.__cause__ or at.__context__
    return False


def retry_when_full(action: Callable[[], T], folder: Path, needed: int = RECORD_BYTES) -> T:
    """The result of `action`, which writes about `needed` bytes in `folder` and is called again while the disk is full.

    `action` must leave nothing behind when it fails. A signal's exception ends the wait.
    """
    try:
        return action()
    except Exception as error:
        if not is_full(error):
            raise
    marker = folder.parent / f".waits-for-{needed}-bytes-{os.getpid()}-{threading.get_ident()}"
    try:
        while True:
            with suppress(OSError):
                marker.touch()
            time.sleep(POLL_SECONDS)
            try:
                return action()
            except Exception as error:
                if not is_full(error):
                    raise
    finally:
        with suppress(OSError):
            marker.unlink()


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
        fix = "free some space" if is_full(error) else "make it writable"
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); {fix} or choose another folder with runs=FOLDER"
        ) from error


def waiting(folder: Path) -> list[int]:
    """Bytes needed by each process that now waits for room in a folder of `folder`."""
    return [size for size, age in _markers(folder) if age < STALE_SECONDS]


def _markers(folder: Path) -> Iterator[tuple[int, float]]:
    with suppress(OSError), os.scandir(folder) as entries:  # no such folder yet
        for entry in entries:
            found = MARKER.fullmatch(entry.name)
            if found:
                with suppress(FileNotFoundError):  # its process has just gone on
                    yield int(found[1]), time.time() - entry.stat().st_mtime


class DiskWatch:
    """While it is open a thread says when a process waits for room in the runs folder, and when it goes on.

    `say` gets one sentence each time, in that thread: the driver's own may be the one that waits.
    """

    def __init__(self, runs: Path, say: Callable[[str], None], every_seconds: float = 1.0) -> None:
        self._runs, self._say, self._every = runs, say, every_seconds
        self._paused = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="disk-watch", daemon=True)

    def __enter__(self) -> DiskWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def poll(self) -> None:
        """Say what has changed since the last call."""
        needed = max((*waiting(self._runs), *waiting(self._runs / "trials")), default=None)
        if (needed is not None) == self._paused:
            return
        self._paused = needed is not None
        free = free_bytes(self._runs)
        if needed is None:
            self._say(f"goes on: {self._runs} has {size_text(free)} free")
            return
        quota = " (its quota or its number of files is used up)" if free > needed else ""
        self._say(
            f"paused: {self._runs} has {size_text(free)} free{quota}, {size_text(needed)} are needed; "
            "free some space and the study goes on"
        )

    def _watch(self) -> None:
        while not self._end.wait(self._every):
            self.poll()
