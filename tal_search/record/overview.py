"""Progress of a recorded study, read from its record and its driver's lock without changing or locking either."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tal_search.files.lock_file import holder_in
from tal_search.record.driver_lock import LOCK_FILE
from tal_search.record.optuna_tables import Time
from tal_search.record.record_reader import RecordReader, Row, is_asked_for, unreadable
from tal_search.record.seal import UNREADABLE, has_log
from tal_search.types import INFERENCE

T = TypeVar("T")


class Overview(NamedTuple):
    """Progress of a study. state: "running", "finished", "incomplete" or "failed" (all trials ended, some by an error).

    done, failed, stopped: trials of the study as it ran last, by their newest attempt; planned: None where a sampler
    has no limit. changed: when a trial last began or ended, in this machine's time zone, None before the first.
    """

    name: str
    state: str
    done: int
    planned: int | None
    failed: int
    stopped: int
    changed: datetime | None


def overview(folder: Path) -> Overview:
    """Progress of the study in a folder of `runs`. Raises InputError where its record cannot be read."""
    try:
        return _overview(folder)
    except UNREADABLE as error:
        raise unreadable(folder, error) from error


def _overview(folder: Path) -> Overview:
    rows, about, driver = _read_undisturbed(folder, _read)
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
    when = _read_undisturbed(folder, RecordReader.last_change)
    return None if when is None else _time(when)


def description(folder: Path) -> dict[str, Any]:
    """The study's metadata (see `record.description`), empty where the record has none. Raises InputError."""
    return _read_undisturbed(folder, RecordReader.description)


def _read(reader: RecordReader) -> tuple[dict[int, Row], dict[str, Any], bool | None]:
    """Trials, metadata, and whether a driver holds the study; None where its lock is not in the record."""
    return reader.rows()[0], reader.description(), reader.has_driver()


def _read_undisturbed(folder: Path, read: Callable[[RecordReader], T]) -> T:
    """The result of `read`, without changing or locking the record.

    Opening an SQLite file in WAL mode locks it and creates files beside it. If no process has the file open, it is
    therefore opened as immutable, and read again if a driver opens it meanwhile.
    """
    before = _written(folder)
    for still in (True, False) if before is not None else (False,):
        result = read(RecordReader(folder, still=still, wanted=("id", "cell")))
        if still and _written(folder) == before:
            break
    return result


def _written(folder: Path) -> tuple[int, int] | None:
    """Time and size of a record that no process writes to; None if one may, or if the record is on a server."""
    if has_log(folder / "record.db") or any((folder / name).exists() for name in ("record.url", "record.db-journal")):
        return None
    try:
        status = (folder / "record.db").stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


def is_held(folder: Path) -> bool:
    """Whether a driver runs the study, by the holder named in its lock file; a clean exit empties the file.

    On this machine the lock itself is also looked up, but never acquired: a driver that starts at that moment would be
    refused. A holder on another machine counts as running.
    """
    try:
        with (folder / LOCK_FILE).open(errors="replace") as lock:
            holder = holder_in(lock)
        known = holder if isinstance(holder, dict) else {}
        host, pid = str(known["host"]), int(known["pid"])
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
    """Whether a process of this machine holds a file's lock; None where the system lists no locks."""
    try:
        inode, table = path.stat().st_ino, Path("/proc/locks").read_text()
    except OSError:
        return None
    # "1: FLOCK  ADVISORY  WRITE 4711 00:2f:1234 0 EOF"; the device is not compared, as some file systems show another.
    rows = [line.split() for line in table.splitlines()]
    return any(row[4] == str(pid) and row[5].endswith(f":{inode}") for row in rows if len(row) > 5 and row[1] != "->")


def _is_asked_for(row: Row, about: dict[str, Any]) -> bool:
    """Whether the trial's cell belongs to the study as it ran last; True where the metadata do not say."""
    if row.cell is None or "axes" not in about:
        return True
    inference = {f"{INFERENCE}{name}": value for name, value in about.get("inference", {}).items()}
    centre = {**about.get("hyperparameters", {}), **inference, **about.get("shares", {})}
    return is_asked_for(json.loads(row.cell), about["axes"], centre)


def _time(when: Time) -> datetime:
    """In this machine's time zone."""
    utc = when if isinstance(when, datetime) else datetime.fromisoformat(when)
    return utc.replace(tzinfo=UTC).astimezone()
