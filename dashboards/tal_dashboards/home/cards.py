"""What a card says of a study, read again only where its files changed: first where it stands, then its numbers."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tal_dashboards.data.notes import FILE as NOTES
from tal_dashboards.data.notes import first_line, read_notes
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_search.errors import InputError
from tal_search.record.driver_lock import LOCK_FILE
from tal_search.record.overview import Overview as Progress
from tal_search.record.overview import description, is_held, last_change
from tal_search.record.overview import overview as progress
from tal_search.record.record_reader import recorded_studies
from tal_search.results.overview import Overview, overview

FILES = ("record.db", "record.db-wal", "record.url", LOCK_FILE, NOTES)
GROWN = 1.05  # a running study's numbers are read again when it has this many times the trials
SERVER_SECONDS = 60  # a record on a server has no file that tells of changes; it is asked this often

T = TypeVar("T")


class Standing(NamedTuple):
    """progress: see `record.overview`. about: what the record says of its study. note: the first line of its note."""

    progress: Progress
    about: dict[str, Any]
    note: str


class Cards:
    """Of every study of a runs folder. Methods raise InputError where a record cannot be read, however it is broken."""

    def __init__(self, runs: Path, opened: Callable[[str], StudyReader | None]) -> None:
        """opened: the reader of a study whose page is open, which has read it already."""
        self.runs, self._opened = runs, opened
        self._changes: dict[str, tuple[str, datetime | None]] = {}
        self._standings: dict[str, tuple[str, Standing]] = {}
        self._overviews: dict[str, tuple[str, Overview]] = {}
        self._one_study = threading.Lock()  # in memory at a time, however many cards ask

    def present(self) -> list[str]:
        """The studies that have a record."""
        return list(recorded_studies(self.runs))

    def names(self) -> list[str]:
        """The studies, that first in which a trial began or ended last; of a record on a server, by its file's time."""
        return sorted(self.present(), key=lambda name: (-self._when(name), name))

    def changed(self, name: str) -> datetime | None:
        """When a trial last began or ended, as far as files of this machine tell."""
        if (self.runs / name / "record.url").exists():
            known = self._standings.get(name)
            return known[1].progress.changed if known else None
        return _kept(self._changes, name, self.mark(name), lambda: readable(self._last_change, name))

    def mark(self, name: str) -> str:
        """Another text, another state of the study: times and sizes of its files, and whether a driver holds it.

        Without files that are empty, as is the log that SQLite makes beside a record for its readers.
        """
        folder = self.runs / name
        found: list[Any] = [is_held(folder)]
        for path in (folder / one for one in FILES):
            with suppress(OSError):
                stat = path.stat()
                found += [path.name, stat.st_mtime_ns, stat.st_size] if stat.st_size else []
        if "record.url" in found:
            found.append(int(time.time() // SERVER_SECONDS))
        return repr(found)

    def standing(self, name: str) -> Standing:
        return _kept(self._standings, name, self.mark(name), lambda: readable(self._standing, name))

    def grown(self, name: str, found: Standing) -> str:
        """Another text, other numbers: of a running study, which changes all the time, after some more trials only."""
        if found.progress.state != "running":
            return self.mark(name)
        return f"running {int(math.log(max(1, found.progress.done), GROWN))}"

    def overview(self, name: str) -> Overview:
        """The results of a study that has any trial."""
        grown = self.grown(name, self.standing(name))
        return _kept(self._overviews, name, grown, lambda: readable(self._overview, name))

    def data(self, name: str) -> StudyData:
        """By the reader of a study's page where that is open, else by one of its own."""
        return readable(lambda study: (self._opened(study) or StudyReader(self.runs, study))(), name)

    def _overview(self, name: str) -> Overview:
        with self._one_study:
            return overview(self.data(name))

    def _standing(self, name: str) -> Standing:
        folder = self.runs / name
        try:
            note = first_line(read_notes(folder).study)
        except InputError as error:
            note = str(error)
        return Standing(progress(folder), description(folder), note)

    def _last_change(self, name: str) -> datetime | None:
        return last_change(self.runs / name)

    def _when(self, name: str) -> float:
        """Seconds since 1970, for the order."""
        with suppress(InputError):
            changed = self.changed(name)
            if changed is not None:
                return changed.timestamp()
        times = [0.0]
        for path in (self.runs / name / one for one in ("record.db", "record.url")):
            with suppress(OSError):
                times.append(path.stat().st_mtime)
        return max(times)


def readable(read: Callable[[str], T], study: str) -> T:
    """What is read of a study; whatever a broken record raises becomes one sentence."""
    try:
        return read(study)
    except InputError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise InputError(
            f"The record of {study} is damaged ({words}); restore it, or run the study once more"
        ) from error


def _kept(known: dict[str, tuple[str, T]], name: str, mark: str, read: Callable[[], T]) -> T:
    """What was read under this mark, or is read now."""
    found = known.get(name)
    if found is None or found[0] != mark:
        found = known[name] = mark, read()
    return found[1]
