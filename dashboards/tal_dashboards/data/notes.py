"""Users' notes on a study and its trials, in `notes.json` beside the study's record.

Only the driver writes the record, so notes are kept in a separate file, which only the dashboards read and write:
{"study": TEXT, "trials": {KEY OF A FIT: TEXT}}.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tal_search.errors import InputError
from tal_search.files.atomic import replace_file

FILE, LOCK = "notes.json", "notes.lock"
MOST_CHARACTERS = 4000  # of one note
MOST_BYTES = 2**20  # of the file
WAIT_SECONDS = 5.0  # for another process that is writing
POLL_SECONDS = 0.02
UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)  # control characters; the last two ranges change the direction of text


class Notes(NamedTuple):
    """study: the note on the study, or ""; trials: non-empty notes by the key of a fit."""

    study: str = ""
    trials: Mapping[str, str] = MappingProxyType({})

    def on(self, key: str) -> str:
        """The note on a fit, or on the study for the key ""."""
        return self.trials.get(key, "") if key else self.study


def read_notes(folder: Path) -> Notes:
    """The notes in a study's folder. Raises InputError if the file is unreadable or not a file of notes."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return Notes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); make it readable") from None
    if len(content) > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES} bytes, so tal-search did not write it; move it away")
    try:
        parsed = json.loads(content)
        notes = Notes(parsed.get("study", ""), parsed.get("trials", {}))
        valid = all(isinstance(text, str) for text in (notes.study, *notes.trials, *notes.trials.values()))
    except (ValueError, RecursionError, AttributeError, TypeError):
        valid = False
    if not valid:
        raise InputError(f"{path} is not a complete file of notes; restore it, or move it away to start a new one")
    return Notes(_plain(notes.study), MappingProxyType({key: _plain(text) for key, text in notes.trials.items()}))


def first_line(text: str) -> str:
    """The first non-blank line of a note, or ""."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def write_note(folder: Path, key: str, text: str, seen: str) -> str:
    """Save a note on a fit (on the study for the key ""), or remove it if the text is empty; returns the saved text.

    seen: the note before the edit. Raises InputError, and saves nothing, if the stored note has changed meanwhile, the
    text is too long, or the file cannot be read or written.
    """
    text, seen = _plain(text).strip(), _plain(seen).strip()
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"The note has {len(text)} characters; at most {MOST_CHARACTERS} are allowed. Nothing was saved."
        )
    with _locked(folder):
        notes = read_notes(folder)
        if notes.on(key).strip() not in (seen, text):
            raise InputError(
                "Someone else changed this note meanwhile, so nothing was saved. It now reads: "
                f"“{notes.on(key)}” Save again to replace it."
            )
        trials = {**notes.trials, key: text} if key else {**notes.trials}
        _write(folder / FILE, notes.study if key else text, {name: note for name, note in trials.items() if note})
    return text


def _plain(text: str) -> str:
    """Text without lone surrogates and without control characters other than line breaks and tabs."""
    encodable = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    return UNWANTED.sub("", encodable)


def _write(path: Path, study: str, trials: Mapping[str, str]) -> None:
    content = json.dumps({"study": study, "trials": dict(sorted(trials.items()))}, indent=1, ensure_ascii=False)
    if len(content.encode()) > MOST_BYTES:
        raise InputError(f"{path} would be larger than {MOST_BYTES} bytes; shorten other notes. Nothing was saved.")
    try:
        replace_file(path, content.encode())
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}). Nothing was saved.") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one writer at a time, even with several servers."""
    path = folder / LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}). Nothing was saved.") from None
    try:
        _acquire(lock, path)
        yield
    finally:
        os.close(lock)


def _acquire(lock: int, path: Path) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise InputError(f"{path} is held by another writer. Nothing was saved; try again.") from None
        except OSError as error:
            raise InputError(f"{path} cannot be locked ({error.strerror}). Nothing was saved.") from None
        time.sleep(POLL_SECONDS)
