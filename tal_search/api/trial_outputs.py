"""`TrialOutputs`: the outputs of one fit as DataFrames and arrays."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from tal_dashboards.data.study_data import StudyData
from tal_search.files.checked import parsing
from tal_search.localization.activations import Activations
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import SHARE_OF, SUPERVISION, VIDEOS, Annotations, Detections

ALL_CLASSES = "all classes"


class TrialOutputs:
    """The files of one fit. Each attribute reads its file on access and returns a copy.

    mAP in percent; times in seconds. An attribute raises InputError if its file does not exist, as for running or
    failed fits.
    """

    def __init__(self, data: StudyData, key: str) -> None:
        self._data, self.key = data, key

    @property
    def trials(self) -> pd.DataFrame:
        """The rows of this fit in `StudyResults.trials`: one per inference setting that it was scored with."""
        rows = self._data.every
        return rows[rows["key"] == self.key].reset_index(drop=True)

    @cached_property
    def _spec(self) -> TrialSpec:
        return self._data.spec(self.key)

    @property
    def settings(self) -> dict[str, object]:
        """The settings of the fit, by the keys of a study's overrides ("hyperparameters.kernel_size").

        Also `method`, `annotator`, `seed`, `precision` and `supervision`.
        """
        spec = self._spec
        settings: dict[str, object] = {
            name: getattr(spec, name) for name in ("method", "annotator", "seed", "precision")
        }
        settings["supervision"] = tuple(spec.supervision)
        parts = {"hyperparameters": spec.hyperparameters, "inference": spec.inference, "protocol": spec.protocol}
        for part, values in parts.items():
            settings |= {f"{part}.{name}": value for name, value in values.items()}
        settings |= {SUPERVISION + name: spec.dataset.share(name) for name in (*SHARE_OF, VIDEOS)}
        names = ("name", "source", "snippets", "sampling", "clicks_per_minute")
        return settings | {f"dataset.{name}": getattr(spec.dataset, name) for name in names}

    @property
    def epochs(self) -> pd.DataFrame:
        """One row per epoch, of a running or failed fit too; empty where none was reported.

        Columns: `epoch`, `epochs` (planned), `seconds` of its training, "loss NAME", and "test mAP@0.5" or "holdout
        mAP@0.5" for each tIoU threshold and their average ("test mAP@0.1:0.9"), percent; NaN of an epoch without it.
        """
        table = self._data.epochs(self.key).copy()
        scored = [name for name in table.columns if "/mAP/" in name]
        table[scored] = 100 * table[scored]
        tiou = self._data.tiou
        ends = {"average": f"{min(tiou):g}:{max(tiou):g}"}  # of all thresholds, unlike the column of trials
        return table.rename(columns={name: _column(name, ends) for name in table.columns})

    @property
    def detections(self) -> pd.DataFrame:
        """One row per test detection, at the inference settings that the fit was trained with.

        Columns: `video`, `label` (a class), `start` and `end` in seconds, `score`; by video, the highest score first.
        """
        detections = self._data.detections(self.key)
        table = _segments(detections).assign(score=detections.score)
        return table.sort_values(["video", "score"], ascending=[True, False], kind="stable", ignore_index=True)

    @property
    def truth(self) -> pd.DataFrame:
        """The ground truth of the test videos: `video`, `label`, `start` and `end` in seconds, one row per instance."""
        return _segments(self._data.truth(self.key))

    @property
    def activations(self) -> Activations:
        """Class activation sequences, attention and affinity of the test videos; `Activations` gives the shapes."""
        kept = self._data.activations(self.key)
        return Activations(videos=kept.videos, **{name: array.copy() for name, array in kept.arrays().items()})

    @property
    def scores(self) -> pd.DataFrame:
        """AP on the test split in percent: a column for each tIoU threshold ("mAP@0.5"), a row for each class.

        The first row, ALL_CLASSES, is their mean, which is mAP. At the selected epoch, and at the inference settings
        that the fit was trained with.
        """
        content = self._data.scores(self.key)
        with parsing(self._data.folder(self.key).scores):
            rows = {ALL_CLASSES: content["mAP"], **content["per_class"]}
            columns = [f"mAP@{tiou:g}" for tiou in content["tiou"]]
            return 100 * pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=float).rename_axis("class")

    def __repr__(self) -> str:
        rows = self.trials
        return f"TrialOutputs({self.key!r}: {rows['state'].iloc[0]}, seed {rows['seed'].iloc[0]})"


def _segments(rows: Annotations | Detections) -> pd.DataFrame:
    videos, labels = np.array(rows.videos, object), np.array(rows.classes, object)
    columns = {"video": videos[rows.video], "label": labels[rows.label]}
    return pd.DataFrame({**columns, "start": rows.segment[:, 0], "end": rows.segment[:, 1]})


def _column(name: str, ends: dict[str, str]) -> str:
    """ "loss/NAME" as "loss NAME", "test/mAP/0.5" as "test mAP@0.5"."""
    split, _, tiou = name.partition("/mAP/")
    return f"{split} mAP@{ends.get(tiou, tiou)}" if tiou else name.replace("loss/", "loss ", 1)
