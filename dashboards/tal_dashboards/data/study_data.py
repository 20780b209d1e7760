"""What the views read: one study, from its record and from the folders of its trials, which are never written."""

from __future__ import annotations

import json
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

Selection = Mapping[str, str]  # what the reader of a page chose, as in the URL's query; views prefix their names
Files = tuple[Path, int, int]  # a file with its time and size: another content is another key of the caches


def selection_of(query: str) -> Selection:
    """The selection of a URL's query ("?axis=lambda_sep"); of a name given twice, the last."""
    return MappingProxyType(dict(parse_qsl(query.removeprefix("?"), max_num_fields=100)))


def query_of(selection: Selection) -> str:
    """The query of a selection, with its question mark; empty where nothing is chosen."""
    return f"?{urlencode(dict(selection))}" if selection else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyData(StudyFrame):
    """One study as it stood when it was read.

    planned: trials asked for, None where unknown. scored: by which protocol, on which videos.

    trials, one row a trial (its newest attempt), in order of number. Beside the columns of a StudyFrame: `number`,
    `id`, `key` (of its fit), `cached`, `epoch` (the newest, 0 of a trial that was not trained here), `selected_epoch`,
    `detections`, `started`, `ended`, `reason`, `mlflow` (the URL of its run, or None); `state`: done, running, failed,
    stopped early. version: another one, other trials.
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
        """What the numbers are of, for the head of a page."""
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
        """Of a fit of this study; InputError for any other key, so that no key is ever a path."""
        if key not in self._keys:
            raise InputError(f"the study {self.name} has no trial of the key {key!r}")
        return TrialFolder.of(self.runs, key)

    def spec(self, key: str) -> TrialSpec:
        """What a fit was asked to be."""
        content = json.loads(self._present(self.folder(key).path / "spec.json").read_text())
        del content["key"]
        return TrialSpec.from_json(content)

    def epochs(self, key: str) -> pd.DataFrame:
        """One row an epoch: `epoch`, `seconds`, `loss/NAME`, and scores as fractions ("test/mAP/0.5"), NaN where none.

        Of a fit that runs or failed, the epochs it reported so far; empty where there are none.
        """
        folder = self.folder(key)
        if folder.epochs.exists():
            return _parquet(_marked(folder.epochs))
        path = epoch_log.path_of(folder)
        return _reported(_marked(path)) if path.exists() else pd.DataFrame({"epoch": pd.Series(dtype=int)})

    def activations(self, key: str, split: str = "test") -> Activations:
        """What a fit keeps of its test videos, or of its held-out training videos (split "holdout")."""
        folder = self.folder(key)
        return _activations(_marked(self._present(folder.cas if split == "test" else folder.holdout_cas)))

    def detections(self, key: str) -> Detections:
        """Test detections of a fit at its own inference settings."""
        truth = self.truth(key)
        return _detections(_marked(self._present(self.folder(key).detections)), truth.videos, truth.classes)

    def truth(self, key: str, split: str = "test") -> Annotations:
        """Ground truth of the videos of a fit's dataset, of the test videos or the training videos (split "train")."""
        train, test = load_truths(self.spec(key).dataset)
        return test if split == "test" else train

    def clicks(self, key: str, kind: str, annotator: str) -> Clicks:
        """One annotator's clicks of one kind on a fit's training videos; InputError where there are none."""
        return _clicks(self.spec(key).dataset, kind, annotator)

    def _present(self, path: Path) -> Path:
        if not path.exists():
            raise InputError(f"{path} is gone; remove the folder of the study to have the trial trained again")
        return path


def _clicks(spec: DatasetSpec, kind: str, annotator: str) -> Clicks:
    train, test = load_truths(spec)
    clicks = clicks_made(spec, kind, annotator, stated_seconds(train), train, test)
    if clicks is None:
        raise InputError(f"the {kind} of {spec.description} lie in its feature files, which dashboards do not read")
    return clicks


def _marked(path: Path) -> Files:
    stat = path.stat()
    return path, stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=512)
def _parquet(file: Files) -> pd.DataFrame:
    return pd.read_parquet(file[0])


@lru_cache(maxsize=64)
def _reported(file: Files) -> pd.DataFrame:
    reports = epoch_log.read(TrialFolder(file[0].parent))[0]
    rows = [epoch_row(report) for report, _ in reports.values()]
    return pd.DataFrame(rows).sort_values("epoch", ignore_index=True)


@lru_cache(maxsize=8)
def _activations(file: Files) -> Activations:
    try:
        return Activations.load(file[0])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file[0]} cannot be read ({error}); remove its folder to have it trained again") from error


@lru_cache(maxsize=16)
def _detections(file: Files, videos: tuple[str, ...], classes: tuple[str, ...]) -> Detections:
    return read_detections(file[0], classes, videos)
