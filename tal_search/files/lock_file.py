"""Locked files that name the process that holds them, and files that must stay the same while a study runs."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from tal_search.errors import InputError, TalSearchError

READ_BYTES = 4096  # more than any holder's text
ABSENT = (0, 0)  # as the identity of a file; no inode has the number 0
AGAIN = "see with `tal-search status` whether another driver runs it, then run the same command again"

Holder = Mapping[str, object]  # a driver: host, pid, started, id


class LockLost(TalSearchError):
    """The study is no longer held by this driver, which must write nothing more (exit code 1)."""


def open_locked(path: Path) -> tuple[TextIO, bool]:
    """The file, and whether this process locked it. Raises InputError where its file system has no locks."""
    while True:
        file = path.open("a+", errors="replace")
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return file, False
        except OSError as error:
            file.close()
            raise InputError(
                f"{path} cannot be locked ({error.strerror}); mount its file system with locks, or choose another "
                "folder with runs=FOLDER"
            ) from error
        status = os.fstat(file.fileno())
        if _identity(path) in ((status.st_dev, status.st_ino), None):
            return file, True
        file.close()  # it was removed or replaced before it was locked


def same_file(path: Path, remedy: str) -> Callable[[], None]:
    """A check that raises LockLost once `path` is no longer the file that it is now. remedy: what to do then.

    While the file cannot be reached, as in a network that fails for a moment, nothing is known, and the check passes.
    """
    before = _identity(path)

    def check() -> None:
        nonlocal before
        now = _identity(path)
        before = before or now
        if now not in (before, None):
            raise LockLost(f"{path} was removed or replaced while its study ran, so this driver ends; {remedy}")

    return check


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; ABSENT where there is no file, None where that cannot be told."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError:
        return None
    return status.st_dev, status.st_ino


class LockFile:
    """The locked file. Whoever has it names itself in it, which tells a lost lock even of a file that is the same."""

    def __init__(self, file: TextIO, path: Path, me: Holder) -> None:
        self._file, self._path, self._text = file, path, json.dumps(me)
        _write(file, self._text)
        self._same = same_file(path, AGAIN)

    def check(self) -> None:
        """Raise LockLost if the file was removed, replaced or written by another process."""
        self._same()
        try:
            text = os.pread(self._file.fileno(), READ_BYTES, 0).decode(errors="replace")
        except OSError as error:
            if error.errno != errno.ESTALE:
                return  # the next look tells
            text = ""  # a network file system forgot the file
        if text != self._text:
            holder = _holder(text)
            by = f" by another driver, {words(holder)}," if holder else ""
            raise LockLost(f"{self._path} was written{by} while its study ran, so this driver ends; {AGAIN}")

    def release(self) -> None:
        with suppress(LockLost):
            self.check()
            _write(self._file, "")
        self._file.close()


def holder_in(lock: TextIO) -> object:
    """The holder written in the lock file; None after a clean exit, {} where it cannot be read."""
    lock.seek(0)
    return _holder(lock.read(READ_BYTES))


def _holder(text: str) -> object:
    if not text.strip():
        return None
    try:
        holder: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return holder


def _write(lock: TextIO, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def words(holder: object) -> str:
    """A driver in words."""
    known = holder if isinstance(holder, dict) else {}
    host, pid, started = (known.get(name, "unknown") for name in ("host", "pid", "started"))
    return f"process {pid} on {host}, started {started}"
