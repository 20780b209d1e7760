"""Where a recorded study stands: read from its record and its driver's lock, neither of which is touched."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from tal_search.record.driver_lock import LOCK_FILE
from tal_search.record.record_reader import RecordReader, Row


class Overview(NamedTuple):
    """state: "running", "finished", "incomplete" or "failed" (all trials have ended, some by an error).

    done, failed, stopped: trials by their newest attempt; planned: None where a sampler goes on without end. changed:
    when a trial last began or ended, None before the first.
    """

    name: str
    state: str
    done: int
    planned: int | None
    failed: int
    stopped: int
    changed: datetime | None


def overview(folder: Path) -> Overview:
    """Of the study in a folder of `runs`. Raises InputError where its record cannot be read."""
    rows, planned = _read(folder)
    newest = {row.id: row for row in rows.values() if row.id is not None}
    counts = Counter(row.state for row in newest.values())
    times = [_time(when) for row in newest.values() for when in (row.started, row.ended) if when is not None]
    done, failed, stopped = counts["done"], counts["failed"], counts["stopped early"]
    whole = planned is not None and done + failed + stopped >= planned and not counts["running"]
    state = "running" if is_held(folder) else "incomplete" if not whole else "failed" if failed else "finished"
    return Overview(folder.name, state, done, planned, failed, stopped, max(times, default=None))


def _read(folder: Path) -> tuple[dict[int, Row], int | None]:
    """Trials, and how many are planned. A file in SQLite's WAL mode is locked, and has files beside it made, only where
    its writer has done so already; one that a driver opens meanwhile is read again.
    """
    before = _written(folder)
    for still in (True, False) if before is not None else (False,):
        reader = RecordReader(folder, still=still)
        found = reader.rows()[0], reader.attributes().get("about", {}).get("trials")
        if still and _written(folder) == before:
            break
    return found


def _written(folder: Path) -> tuple[int, int] | None:
    """Time and size of a record that no process has open; None of one that is, or that is on a server."""
    if any((folder / name).exists() for name in ("record.url", "record.db-wal", "record.db-journal")):
        return None
    try:
        found = (folder / "record.db").stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def is_held(folder: Path) -> bool:
    """Whether a driver runs the study. One that ended in order left no name; one on this machine holds the file's lock,
    which is looked up and not tried, so that no driver that starts meanwhile is refused; one elsewhere cannot be asked.
    """
    try:
        holder: Any = json.loads((folder / LOCK_FILE).read_text())
        host, pid = str(holder["host"]), int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if host != socket.gethostname():
        return True
    locked = _locked_by(folder / LOCK_FILE, pid)
    if locked is not None:
        return locked
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _locked_by(path: Path, pid: int) -> bool | None:
    """Whether a process of this machine holds a file's lock; None where the system has no table of locks to read."""
    try:
        inode, table = path.stat().st_ino, Path("/proc/locks").read_text()
    except OSError:
        return None
    # "1: FLOCK  ADVISORY  WRITE 4711 00:2f:1234 0 EOF"; the device is not compared, some file systems show another.
    rows = [line.split() for line in table.splitlines()]
    return any(row[4] == str(pid) and row[5].endswith(f":{inode}") for row in rows if len(row) > 5 and row[1] != "->")


def _time(when: Any) -> datetime:
    """SQLite has times as text."""
    return when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
