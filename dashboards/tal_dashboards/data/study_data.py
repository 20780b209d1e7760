"""One study as the views read it, from its record and its trials' folders, which are never written to."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

import pandas as pd

from tal_search.data.annotations import read_detections
from tal_search.data.clicks.clicks import Clicks
from tal_search.data.load import load_truths
from tal_search.data.supervision import clicks_made
from tal_search.data.truths import stated_seconds
from tal_search.errors import InputError
from tal_search.localization.activations import Activations
from tal_search.results.plateau import speed_note
from tal_search.results.trials import StudyFrame
from tal_search.tracking import epoch_log
from tal_search.trial.folder import TrialFolder, epoch_row
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import Annotations, DatasetSpec, Detections

Selection = Mapping[str, str]  # the user's choices, as in the URL's query; each view prefixes its names
FileState = tuple[Path, int, int]  # path, modification time and size: the key of the caches


def selection_of(query: str) -> Selection:
    """The selection in a URL's query ("?axis=lambda_sep"); the last value of a name given twice."""
    return MappingProxyType(dict(parse_qsl(query.removeprefix("?"), max_num_fields=100)))


def query_of(selection: Selection) -> str:
    """The query of a selection, with its question mark; "" for an empty selection."""
    return f"?{urlencode(dict(selection))}" if selection else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyData(StudyFrame):
    """A snapshot of one study.

    planned: number of trials planned, None if unknown. scored: protocol and videos of the scores, in words. version:
    changes with the trials.

    trials: one row per trial (its newest attempt), sorted by number. In addition to the columns of a StudyFrame:
    `number`, `id`, `key` (of its fit), `cached`, `epoch` (the newest; 0 for a trial not trained here),
    `selected_epoch`, `detections`, `started`, `ended`, `reason`, `mlflow` (URL of its run, or None); `state` is done,
    running, failed or stopped early.
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

    @property
    def words(self) -> str:
        """Method, data, selection and scores in words, for the head of a page."""
        chosen = self.protocol["selection"]
        about = f"{self.method} on {self.dataset}, {self.data}. Selection: {chosen}. Scores: {self.scored}."
        return f"{self._speeds} {about}" if self._speeds else about

    @cached_property
    def _speeds(self) -> str:
        return speed_note(self, self.epochs)

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(self.trials["key"])

    def folder(self, key: str) -> TrialFolder:
        """The folder of a fit of this study. Raises InputError for any other key, so that no key can be a path."""
        if key not in self._keys:
            raise InputError(f"the study {self.name} has no trial of the key {key!r}")
        return TrialFolder.of(self.runs, key)

    def spec(self, key: str) -> TrialSpec:
        """The specification of a fit; raises InputError if its file is missing or damaged."""
        spec = self.folder(key).spec()
        if spec is None:
            raise InputError(
                f"{self.folder(key).path / 'spec.json'} is missing or damaged; remove the study's folder to train the "
                "trial again"
            )
        return spec

    def epochs(self, key: str) -> pd.DataFrame:
        """One row per epoch: `epoch`, `seconds`, `loss/NAME`, and scores as fractions ("test/mAP/0.5"), else NaN.

        The epochs reported so far if the fit is running or failed; may be empty.
        """
        folder = self.folder(key)
        if folder.epochs.exists():
            return _parquet(_state(folder.epochs))
        path = epoch_log.path_of(folder)
        return _reported(_state(path)) if path.exists() else pd.DataFrame({"epoch": pd.Series(dtype=int)})

    def activations(self, key: str, split: str = "test") -> Activations:
        """Stored activations of the test videos, or of the held-out training videos (split "holdout")."""
        folder = self.folder(key)
        return _activations(_state(self._present(folder.cas if split == "test" else folder.holdout_cas)))

    def detections(self, key: str) -> Detections:
        """Stored test detections of a fit, at its own inference settings."""
        truth = self.truth(key)
        return _detections(_state(self._present(self.folder(key).detections)), truth.videos, truth.classes)

    def truth(self, key: str, split: str = "test") -> Annotations:
        """Ground truth of the test videos of a fit's data set, or of its training videos (split "train")."""
        train, test = load_truths(self.spec(key).dataset)
        return test if split == "test" else train

    def clicks(self, key: str, kind: str, annotator: str) -> Clicks:
        """One annotator's clicks of one kind on a fit's training videos. Raises InputError if kept in feature files."""
        return _clicks(self.spec(key).dataset, kind, annotator)

    def _present(self, path: Path) -> Path:
        if not path.exists():
            raise InputError(f"{path} is missing; remove the folder of the study to train the trial again")
        return path


def _clicks(spec: DatasetSpec, kind: str, annotator: str) -> Clicks:
    train, test = load_truths(spec)
    clicks = clicks_made(spec, kind, annotator, stated_seconds(train), train, test)
    if clicks is None:
        raise InputError(
            f"the {kind} of {spec.description} are stored in its feature files, which dashboards do not read"
        )
    return clicks


def _state(path: Path) -> FileState:
    stat = path.stat()
    return path, stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=512)
def _parquet(file: FileState) -> pd.DataFrame:
    return pd.read_parquet(file[0])


@lru_cache(maxsize=64)
def _reported(file: FileState) -> pd.DataFrame:
    reports = epoch_log.read(TrialFolder(file[0].parent))[0]
    rows = [epoch_row(report) for report, _ in reports.values()]
    return pd.DataFrame(rows).sort_values("epoch", ignore_index=True)


@lru_cache(maxsize=8)
def _activations(file: FileState) -> Activations:
    try:
        return Activations.load(file[0])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file[0]} cannot be read ({error}); remove its folder to train it again") from error


@lru_cache(maxsize=16)
def _detections(file: FileState, videos: tuple[str, ...], classes: tuple[str, ...]) -> Detections:
    return read_detections(file[0], classes, videos)
