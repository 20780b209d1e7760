"""One study as the views read it, from its record and its trials' folders, which are never written to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import pandas as pd

from tal_search.data.clicks.clicks import Clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.load import load_truths
from tal_search.data.supervision import clicks_made
from tal_search.data.truth.annotations import read_detections
from tal_search.data.truth.truths import stated_seconds
from tal_search.errors import InputError
from tal_search.files.checked import MISSING, Damaged, parsing, version_of
from tal_search.localization.activations import Activations
from tal_search.results.folds.pooling import folds_note
from tal_search.results.plateau import speed_note
from tal_search.results.trials import StudyFrame, code_note, silent_note
from tal_search.tracking import epoch_log
from tal_search.trial.final_files import AGAIN, SPEC, damage_of, epoch_row, stamps_in
from tal_search.trial.folder import TrialFolder
from tal_search.trial.pooled.joint_folds import truth_of
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import CASE, Annotations, Detections

SCORED_AGAIN = "the same `run` command scores its settings again"
T = TypeVar("T")
Selection = Mapping[str, str]  # the user's choices, as in the URL's query; each view prefixes its names
MOST_FIELDS = 100  # of a query
FileState = tuple[Path, tuple[int, int, int]]  # path and version: the key of the caches


def selection_of(query: str) -> Selection:
    """The selection in a URL's query ("?axis=lambda_sep"); the last value of a name given twice, and the first 100."""
    fields = query.removeprefix("?").split("&")[:MOST_FIELDS]
    return MappingProxyType(dict(parse_qsl("&".join(fields))))


def query_of(selection: Selection) -> str:
    """The query of a selection, with its question mark; "" for an empty selection."""
    return f"?{urlencode(dict(selection))}" if selection else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyData(StudyFrame):
    """A snapshot of one study.

    planned: number of trials planned, None if unknown. scored: protocol and videos of the scores, in words. version:
    changes with the trials. noted: damaged files that were read, see `damage`.

    trials: one row per trial (its newest attempt), sorted by number. In addition to the columns of a StudyFrame:
    `number`, `id`, `key` (of its fit), `cached`, `epoch` (the newest; 0 for a trial not trained here),
    `selected_epoch`, `detections`, `started`, `ended`, `reason` (of a failure, or why
    detections are missing), `mlflow` (URL of its run, or None); `state` is done, running, failed or stopped early.
    """

    runs: Path
    description: str
    data: str
    simulated: bool
    preset: str
    scored: str
    annotators: tuple[str, ...]
    planned: int | None
    version: int
    noted: dict[Path, tuple[object, str]] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Method, data, selection and scores in words, for the head of a page."""
        ends = f"Selection: {self.protocol['selection']}. Scores: {self.scored}."
        notes = self._speeds, code_note(self), silent_note(self), folds_note(self)
        return " ".join(filter(None, (*notes, f"{self.methods} on {self.dataset}, {self.data}. {ends}")))

    @cached_property
    def _speeds(self) -> str:
        empty = pd.DataFrame()
        return speed_note(self, lambda key: epochs if (epochs := self.known(self.epochs, key)) is not None else empty)

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(self.every["key"])

    def folder(self, key: str) -> TrialFolder:
        """The folder of a fit of this study. Raises InputError for any other key, so that no key can be a path."""
        if key not in self._keys:
            raise InputError(f"the study {self.name} has no trial of the key {key!r}")
        return TrialFolder.of(self.runs, key)

    def spec(self, key: str) -> TrialSpec:
        """The specification of a fit. Raises Damaged if its file is missing or damaged."""
        folder = self.folder(key)
        with self._noting():
            spec = folder.spec()
            if spec is None:
                reason = "it differs from its checksum" if folder.has_spec() else MISSING
                raise Damaged(folder.path / SPEC, reason, "the same `run` command makes it again")
            return spec

    def case_specs(self) -> dict[str, TrialSpec]:
        """The specification of a fit of each case, by its name, where its folder holds one; none without cases."""
        if CASE not in self.axes:
            return {}
        first = self.done.drop_duplicates(CASE)
        specs = {case: self.known(self.spec, key) for case, key in zip(first[CASE], first["key"], strict=True)}
        return {str(case): spec for case, spec in specs.items() if spec is not None}

    def epochs(self, key: str) -> pd.DataFrame:
        """One row per epoch: `epoch`, `seconds`, `loss/NAME`, and scores as fractions ("test/mAP/0.5"), else NaN.

        The epochs reported so far if the fit is running or failed; may be empty. Raises Damaged.
        """
        folder = self.folder(key)
        path = epoch_log.path_of(folder)
        if path.exists() and folder.result() is None:
            return _reported(_state(path))
        if folder.epochs.exists() or folder.epochs.name in stamps_in(folder.path):
            with self._noting():
                return _parquet(_state(folder.verified(folder.epochs)))
        return pd.DataFrame({"epoch": pd.Series(dtype=int)})

    def activations(self, key: str, split: str = "test") -> Activations:
        """Stored activations of the test videos, or of the held-out training videos ("holdout"). Raises Damaged."""
        folder = self.folder(key)
        with self._noting():
            return _activations(_state(folder.verified(folder.cas if split == "test" else folder.holdout_cas)))

    def detections(self, key: str) -> Detections:
        """Stored test detections of a fit, at its own inference settings. Raises Damaged."""
        truth, folder = self.truth(key), self.folder(key)
        with self._noting():
            return _detections(_state(folder.verified(folder.detections)), truth.videos, truth.classes)

    def scores(self, key: str) -> dict[str, Any]:
        """The content of a fit's `scores.json`: `tiou`, `mAP` and `per_class`, fractions. Raises Damaged."""
        folder = self.folder(key)
        with self._noting(), parsing(folder.verified(folder.scores), f"remove it, and {AGAIN}"):
            content: dict[str, Any] = json.loads(folder.scores.read_bytes())
            return content

    def results(self, key: str) -> dict[str | None, TrialResult]:
        """Results of a finished fit by setting name, see `TrialFolder.results`. Raises Damaged."""
        folder = self.folder(key)
        with self._noting():
            for error in damage_of(folder.path):
                fix = AGAIN if error.reason == MISSING else f"remove it, and {AGAIN}"
                raise Damaged(error.path, error.reason, error.fix or fix)
            if folder.result() is None:
                raise Damaged(folder.path / "result.json", MISSING, AGAIN)
            if folder.scored_settings.exists():
                folder.verified(folder.scored_settings)
            results, rows = folder.results(), self.every_done[self.every_done["key"] == key]
            if lacking := {name.partition("-")[2] or None for name in rows["id"]} - results.keys():
                raise Damaged(folder.scored_settings, f"{len(lacking)} of its settings are missing", SCORED_AGAIN)
            return results

    def holds(self, key: str, file: Path) -> bool:
        """Whether a fit's folder holds this file, intact."""
        folder = self.folder(key)
        with suppress(Damaged), self._noting():
            if file.exists() or file.name in stamps_in(folder.path):
                folder.verified(file)
                return True
        return False

    def known(self, read: Callable[[str], T], key: str) -> T | None:
        """What one of the methods above reads for a fit; None if a file is missing or damaged (see `damage`)."""
        try:
            return read(key)
        except InputError:
            return None

    @property
    def damage(self) -> list[str]:
        """A sentence for each file that has been found damaged, and has not changed since."""
        return [sentence for path, (version, sentence) in self.noted.items() if _version(path) == version]

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except Damaged as error:
            self.note(error)
            raise

    def note(self, error: Damaged | None) -> None:
        """Add a damaged file to `damage`."""
        if error is not None:
            self.noted[error.path] = _version(error.path), str(error)

    def truth(self, key: str, split: str = "test") -> Annotations:
        """Ground truth of the test videos of a fit's data set, or of its training videos (split "train")."""
        return truth_of(self.folder(key), self.spec(key).dataset, split)

    def clicks(self, key: str, kind: str, annotator: str) -> Clicks:
        """One annotator's clicks of one kind on a fit's training videos. Raises InputError if kept in feature files."""
        return _clicks(self.spec(key).dataset, kind, annotator)


def _clicks(spec: DatasetSpec, kind: str, annotator: str) -> Clicks:
    train, test = load_truths(spec)
    clicks = clicks_made(spec, kind, annotator, stated_seconds(train), train, test)
    if clicks is None:
        raise InputError(
            f"the {kind} of {spec.description} are stored in its feature files, which dashboards do not read"
        )
    return clicks


def _state(path: Path) -> FileState:
    return path, version_of(path.stat())


def _version(path: Path) -> object:
    """Changes with every write to a file; None if it is missing."""
    return version_of(path.stat()) if path.exists() else None


@lru_cache(maxsize=512)
def _parquet(file: FileState) -> pd.DataFrame:
    return TrialFolder(file[0].parent).epoch_table()


@lru_cache(maxsize=64)
def _reported(file: FileState) -> pd.DataFrame:
    reports = epoch_log.read(TrialFolder(file[0].parent))[0]
    rows = [epoch_row(report) for report, _ in reports.values()]
    return pd.DataFrame(rows).sort_values("epoch", ignore_index=True)


@lru_cache(maxsize=8)
def _activations(file: FileState) -> Activations:
    with parsing(file[0], f"remove it, and {AGAIN}"):
        return Activations.load(file[0])


@lru_cache(maxsize=16)
def _detections(file: FileState, videos: tuple[str, ...], classes: tuple[str, ...]) -> Detections:
    with parsing(file[0], f"remove it, and {AGAIN}"):
        return read_detections(file[0], classes, videos)
