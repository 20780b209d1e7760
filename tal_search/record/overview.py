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
from tal_search.record.record_reader import RecordReader


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
    reader = RecordReader(folder)
    rows, _ = reader.rows()
    planned = reader.attributes().get("about", {}).get("trials")
    newest = {row.id: row for row in rows.values() if row.id is not None}
    counts = Counter(row.state for row in newest.values())
    times = [_time(when) for row in newest.values() for when in (row.started, row.ended) if when is not None]
    done, failed, stopped = counts["done"], counts["failed"], counts["stopped early"]
    whole = planned is not None and done + failed + stopped >= planned and not counts["running"]
    state = "running" if is_held(folder) else "incomplete" if not whole else "failed" if failed else "finished"
    return Overview(folder.name, state, done, planned, failed, stopped, max(times, default=None))


def is_held(folder: Path) -> bool:
    """Whether a driver runs the study: one that ended in order left no name, one of this machine has its process."""
    try:
        holder: Any = json.loads((folder / LOCK_FILE).read_text())
        host, pid = str(holder["host"]), int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if host != socket.gethostname():
        return True  # which cannot be asked
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _time(when: Any) -> datetime:
    """SQLite has times as text."""
    return when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
