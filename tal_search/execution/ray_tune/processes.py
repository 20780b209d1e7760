"""The processes that a library started in this one's name, so that they, and no others, can be ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

Process = tuple[int, str]  # pid and start time: a pid alone may belong to another process by now


class Family:
    """Children that come after this object, and all their descendants. Linux; elsewhere it stays empty."""

    def __init__(self) -> None:
        self._others = _children(_running(), {os.getpid()})
        self._members: set[Process] = set()

    def adopt(self) -> None:
        """Take in the children of this process that are new."""
        self._members |= _children(_running(), {os.getpid()}) - self._others
        self.refresh()

    def refresh(self) -> None:
        """Take in descendants: once their parent is dead they can no longer be recognized."""
        running = _running()
        found = self._members = {process for process in self._members if process in running}
        while found:
            found = _children(running, {pid for pid, _ in found}) - self._members
            self._members |= found

    def kill(self) -> None:
        """Kill those that still run, by pid."""
        self.refresh()
        for pid, _ in self._members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _running() -> dict[Process, int]:
    """Every running process, and its parent's pid."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # the name before it may hold anything
        except OSError:  # ended meanwhile
            continue
        if fields[0] != "Z":
            found[int(path.parent.name), fields[19]] = int(fields[1])
    return found


def _children(running: dict[Process, int], parents: set[int]) -> set[Process]:
    return {process for process, parent in running.items() if parent in parents}
