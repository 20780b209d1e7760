"""Contents of the cards on the front page: progress and results of each study, cached until its files change."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from tal_dashboards.data.notes import FILE as NOTES
from tal_dashboards.data.notes import first_line, read_notes
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_search.errors import InputError
from tal_search.record.driver_lock import LOCK_FILE
from tal_search.record.overview import Overview as Progress
from tal_search.record.overview import description, is_held, last_change
from tal_search.record.overview import overview as progress
from tal_search.record.record_reader import RecordReader, recorded_studies
from tal_search.record.seal import ENDING
from tal_search.results.overview import Overview, overview

FILES = ("record.db", "record.db-wal", f"record.db{ENDING}", "record.url", LOCK_FILE, NOTES)
GROWN = 1.05  # results of a running study are read again once its trials have grown by this factor
SERVER_SECONDS = 60  # a record on a database server is read this often, as no file shows its changes

T = TypeVar("T")


class Standing(NamedTuple):
    """progress: see `record.overview`; about: the record's description of the study; note: first line of its note."""

    progress: Progress
    about: Mapping[str, object]
    note: str


class Cards:
    """Card contents for the studies of a runs folder. Methods raise InputError for a record that cannot be read."""

    def __init__(self, runs: Path, opened: Callable[[str], StudyReader | None]) -> None:
        """opened: returns the reader of a study whose page is open already, else None."""
        self.runs, self._opened = runs, opened
        self._changes: dict[str, tuple[str, datetime | None]] = {}
        self._standings: dict[str, tuple[str, Standing]] = {}
        self._overviews: dict[str, tuple[str, Overview]] = {}
        self._one_study = threading.Lock()  # only one study in memory at a time, however many cards are requested

    def present(self) -> list[str]:
        """Names of the studies with a record."""
        return list(recorded_studies(self.runs))

    def names(self) -> list[str]:
        """Names of the studies, the most recently changed first; records on a server by the time of their URL file."""
        return sorted(self.present(), key=lambda name: (-self._when(name), name))

    def changed(self, name: str) -> datetime | None:
        """When a trial last started or ended; for a record on a server, as last read."""
        if (self.runs / name / "record.url").exists():
            cached = self._standings.get(name)
            return cached[1].progress.changed if cached else None
        return _cached(self._changes, name, self.mark(name), lambda: readable(self._last_change, name))

    def mark(self, name: str) -> str:
        """A text that changes with the study: times and sizes of its files, and whether a driver holds it.

        Empty files are skipped, because SQLite creates an empty log when a record is merely read.
        """
        folder = self.runs / name
        state: list[str | int] = [is_held(folder)]
        for path in (folder / file for file in FILES):
            with suppress(OSError):
                stat = path.stat()
                state += [path.name, stat.st_mtime_ns, stat.st_size] if stat.st_size else []
        if "record.url" in state:
            state.append(int(time.time() // SERVER_SECONDS))
        return repr(state)

    def standing(self, name: str) -> Standing:
        """Progress, description and note of a study."""
        return _cached(self._standings, name, self.mark(name), lambda: readable(self._standing, name))

    def grown(self, name: str, standing: Standing) -> str:
        """A text that changes when results should be read again; of a running study, whenever trials grow by GROWN."""
        if standing.progress.state != "running":
            return self.mark(name)
        return f"running {int(math.log(max(1, standing.progress.done), GROWN))}"

    def overview(self, name: str) -> Overview:
        """The results of a study with at least one trial."""
        grown = self.grown(name, self.standing(name))
        return _cached(self._overviews, name, grown, lambda: readable(self._overview, name))

    def data(self, name: str) -> StudyData:
        """A study's data, from the reader of its open page if there is one."""
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
        note = str(RecordReader(folder).damage() or note)
        return Standing(progress(folder), description(folder), note)

    def _last_change(self, name: str) -> datetime | None:
        return last_change(self.runs / name)

    def _when(self, name: str) -> float:
        """Time of the last change in seconds since 1970, for sorting."""
        with suppress(InputError):
            changed = self.changed(name)
            if changed is not None:
                return changed.timestamp()
        times = [0.0]
        for path in (self.runs / name / file for file in ("record.db", "record.url")):
            with suppress(OSError):
                times.append(path.stat().st_mtime)
        return max(times)


def readable(read: Callable[[str], T], study: str) -> T:
    """Call `read` for a study; any exception that a damaged record causes becomes an InputError of one sentence."""
    try:
        return read(study)
    except InputError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise InputError(f"The record of {study} is damaged ({words}); restore it, or run the study again") from error


def _cached(cache: dict[str, tuple[str, T]], name: str, mark: str, read: Callable[[], T]) -> T:
    """The cached value if it was read under the same mark, else the result of `read`."""
    entry = cache.get(name)
    if entry is None or entry[0] != mark:
        entry = cache[name] = mark, read()
    return entry[1]
