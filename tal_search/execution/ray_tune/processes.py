"""Processes that a library starts on our behalf, tracked so that exactly these can be killed."""

from __future__ import annotations

from contextlib import suppress

import psutil


class Family:
    """Children that this process starts after this object was made, and all their descendants."""

    def __init__(self) -> None:
        self._others = set(psutil.Process().children())
        self._members: set[psutil.Process] = set()

    def adopt(self) -> None:
        """Track the new children of this process."""
        self._members |= set(psutil.Process().children()) - self._others
        self.refresh()

    def refresh(self) -> None:
        """Track new descendants: once their parent is dead they can no longer be recognized."""
        running = {process: process.info["ppid"] for process in psutil.process_iter(["ppid"])}
        self._members &= running.keys()
        newest = self._members
        while newest:
            parents = {process.pid for process in newest}
            newest = {process for process, parent in running.items() if parent in parents} - self._members
            self._members = self._members | newest  # a new set: another thread may be killing those of the old one

    def kill(self) -> None:
        """Kill those that still run; psutil checks that a pid was not reused."""
        self.refresh()
        for process in self._members:
            with suppress(psutil.NoSuchProcess):
                process.kill()
