"""Where a recorded study stands: read from its record and its driver's lock, neither of which is touched."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tal_search.record.driver_lock import LOCK_FILE
from tal_search.record.record_reader import RecordReader, Row, is_asked_for
from tal_search.types import INFERENCE

T = TypeVar("T")


class Overview(NamedTuple):
    """state: "running", "finished", "incomplete" or "failed" (all trials have ended, some by an error).

    done, failed, stopped: trials of the study as it ran last, by their newest attempt; planned: None where a sampler
    goes on without end. changed: when a trial last began or ended, by this machine's clock, None before the first.
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
    rows, about, driver = _undisturbed(folder, _read)
    planned = about.get("trials")
    newest = {row.id: row for row in rows.values() if row.id is not None and _is_asked_for(row, about)}
    counts = Counter(row.state for row in newest.values())
    times = [_time(when) for row in newest.values() for when in (row.started, row.ended) if when is not None]
    done, failed, stopped = counts["done"], counts["failed"], counts["stopped early"]
    whole = planned is not None and done + failed + stopped >= planned and not counts["running"]
    running = is_held(folder) if driver is None else driver
    state = "running" if running else "incomplete" if not whole else "failed" if failed else "finished"
    return Overview(folder.name, state, done, planned, failed, stopped, max(times, default=None))


def last_change(folder: Path) -> datetime | None:
    """When a trial of the record last began or ended, without reading the trials; None before the first.

    Raises InputError where the record cannot be read.
    """
    found = _undisturbed(folder, RecordReader.last_change)
    return None if found is None else _time(found)


def description(folder: Path) -> dict[str, Any]:
    """What the record says of its study (see `record.description`), empty where it says nothing. Raises InputError."""
    return dict(_undisturbed(folder, lambda reader: reader.attributes().get("about", {})))


def _read(reader: RecordReader) -> tuple[dict[int, Row], dict[str, Any], bool | None]:
    """Trials, what the record says of its study, and whether a driver holds it, None where the record does not know."""
    return reader.rows()[0], reader.attributes().get("about", {}), reader.has_driver()


def _undisturbed(folder: Path, read: Callable[[RecordReader], T]) -> T:
    """What `read` finds in a record that nothing is changed in.

    A file in SQLite's WAL mode is locked, and has files beside it made, only where its writer has done so already; one
    that a driver opens meanwhile is read again.
    """
    before = _written(folder)
    for still in (True, False) if before is not None else (False,):
        found = read(RecordReader(folder, still=still, wanted=("id", "cell")))
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


def _is_asked_for(row: Row, about: dict[str, Any]) -> bool:
    """Whether the study as it ran last has the trial's cell, as far as its axes say."""
    if row.cell is None or "axes" not in about:
        return True
    inference = {f"{INFERENCE}{name}": value for name, value in about.get("inference", {}).items()}
    return is_asked_for(json.loads(row.cell), about["axes"], {**about.get("hyperparameters", {}), **inference})


def _time(when: Any) -> datetime:
    """In this machine's time zone. Databases have UTC, SQLite as text."""
    utc = when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
    return utc.replace(tzinfo=UTC).astimezone()
