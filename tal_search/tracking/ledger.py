"""Which trials a study's copy holds, noted beside the study.

To ask MLflow for ten thousand runs takes half a minute; to read this file takes a fraction of a second. It counts only
for the parent run it names: a copy that was removed or made anew is asked itself. A trial is noted before its run is
created, so a trial that is not noted has none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tal_search.files.atomic import write_atomically


class Entry(NamedTuple):
    """A trial that is over in the copy. settings: bytes of its `settings.json` there, 0 without one."""

    run: str
    state: str
    settings: int = 0


@dataclass
class Ledger:
    """`begun` holds the trials that may have a run, but are not known to be over. Methods raise OSError."""

    path: Path
    over: dict[str, Entry] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def load(self, parent: str) -> bool:
        """Read what is noted of a parent run, and whether anything is; lines that a crash cut short are left out."""
        self.over, self.begun = {}, set()
        lines = _lines(self.path)
        if not lines or lines[0].get("parent") != parent:
            return False
        for line in lines[1:]:
            if "run" in line:
                self._note_over(line["key"], Entry(line["run"], line["state"], line["settings"]))
            else:
                self._note_begun(line["key"])
        self.write(parent)
        return True

    def write(self, parent: str) -> None:
        """Replace the file by what is known now."""
        begun = [{"key": key} for key in sorted(self.begun)]
        over = [{"key": key, **entry._asdict()} for key, entry in self.over.items()]
        text = "".join(json.dumps(line) + "\n" for line in ({"parent": parent}, *begun, *over))
        write_atomically(self.path, lambda stream: stream.write(text.encode()))

    def begin(self, key: str) -> None:
        if key not in self.begun:
            self._append({"key": key})
            self._note_begun(key)

    def end(self, key: str, entry: Entry) -> None:
        self._append({"key": key, **entry._asdict()})
        self._note_over(key, entry)

    def _note_begun(self, key: str) -> None:
        self.over.pop(key, None)
        self.begun.add(key)

    def _note_over(self, key: str, entry: Entry) -> None:
        self.begun.discard(key)
        self.over[key] = entry

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(f"\n{json.dumps(line)}\n")  # first ends a line that a full disk cut short


def runs_noted(path: Path) -> dict[str, str]:
    """Runs of the trials that are over, by key, as a ledger's file notes them; for readers beside the driver."""
    return {line["key"]: line["run"] for line in _lines(path) if "run" in line}


def parent_noted(path: Path) -> str | None:
    """The study's own run, as a ledger's file notes it."""
    lines = _lines(path)
    return lines[0].get("parent") if lines else None


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            found.append(content)
    return found
