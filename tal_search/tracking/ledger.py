"""Ledger of the trials that a study's copy in MLflow holds: a file in the study's folder.

Asking MLflow for ten thousand runs takes half a minute; reading this file takes a fraction of a second. The file is
valid only for the parent run that it names: if the copy was removed or recreated, MLflow is asked instead. A trial is
written here before its run is created, so a trial that is missing here has no run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tal_search.files.atomic import write_atomically


class Entry(NamedTuple):
    """A trial whose copy has ended. settings: bytes of the `settings.json` copied, 0 without one."""

    run: str
    state: str
    settings: int = 0


@dataclass
class Ledger:
    """`ended` and `begun` hold keys of trials; a trial in `begun` may have a run that has not ended.

    Methods raise OSError.
    """

    path: Path
    ended: dict[str, Entry] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def load(self, parent: str) -> bool:
        """Read the file; returns whether it is about this parent run. Lines cut short by a crash are skipped."""
        self.ended, self.begun = {}, set()
        noted, lines = _read(self.path)
        if noted != parent:
            return False
        for key, entry in lines:
            self._note(key, entry)
        self.write(parent)
        return True

    def write(self, parent: str) -> None:
        """Replace the file by the current content."""
        begun = [{"key": key} for key in sorted(self.begun)]
        ended = [{"key": key, **entry._asdict()} for key, entry in self.ended.items()]
        text = "".join(json.dumps(line) + "\n" for line in ({"parent": parent}, *begun, *ended))
        write_atomically(self.path, lambda stream: stream.write(text.encode()))

    def begin(self, key: str) -> None:
        if key not in self.begun:
            self._append({"key": key})
            self._note(key, None)

    def end(self, key: str, entry: Entry) -> None:
        self._append({"key": key, **entry._asdict()})
        self._note(key, entry)

    def _note(self, key: str, entry: Entry | None) -> None:
        self.ended.pop(key, None)
        self.begun.discard(key)
        if entry is None:
            self.begun.add(key)
        else:
            self.ended[key] = entry

    def _append(self, line: Mapping[str, object]) -> None:
        with self.path.open("a") as file:
            file.write(f"\n{json.dumps(line)}\n")  # the first line break ends a line that a full disk cut short


def runs_noted(path: Path) -> dict[str, str]:
    """Run of each ended trial by key, from a ledger's file; for readers in other processes."""
    return {key: entry.run for key, entry in _read(path)[1] if entry is not None}


def parent_noted(path: Path) -> str | None:
    """The study's own run, from a ledger's file."""
    return _read(path)[0]


def _read(path: Path) -> tuple[str | None, list[tuple[str, Entry | None]]]:
    """The parent run, and the lines after it: keys, each with its entry if the trial has ended."""
    parent, lines = None, list[tuple[str, Entry | None]]()
    for text in path.read_bytes().splitlines() if path.is_file() else []:
        match _parsed(text):
            case {"parent": str(name)}:
                parent = name
            case {"key": str(key), "run": str(run), "state": str(state), "settings": int(settings)}:
                lines.append((key, Entry(run, state, settings)))
            case {"key": str(key), **rest} if "run" not in rest:
                lines.append((key, None))
    return parent, lines


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
