"""From a study's record to the `StudyData` of the views, again and again while the study runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dashboards.data import StudyData
from dashboards.record import RecordReader, Row, recorded_studies
from tal_search.errors import InputError
from tal_search.tracking.ledger import runs_noted
from tal_search.types import Floats, criterion

MLFLOW_PAGE = "http://127.0.0.1:5000"  # of `mlflow ui`, where MLflow has no server of its own


NAMES = (
    "description", "dataset", "data", "plan", "method", "preset", "axes", "centre", "hyperparameters", "inference",
    "fit_inference", "protocol", "objectives", "cases", "scored",
)  # fmt: skip


class StudyReader:
    """Called, it reads one study; where nothing changed since, the same StudyData comes back."""

    def __init__(self, runs: Path, name: str) -> None:
        found = list(recorded_studies(runs))
        if name not in found:
            known = f"studies there: {', '.join(found)}" if found else "no study was run there yet"
            raise InputError(f"{runs} has no record of a study {name}; {known}; make it: tal-search run study={name}")
        self.runs, self.name = runs, name
        self._record, self._ledger = RecordReader(runs / name), runs / name / "mlflow.jsonl"
        self._data: StudyData | None = None
        self._copied: object = None
        self._version = 0
        self._lock = threading.Lock()

    def __call__(self) -> StudyData:
        """Raises InputError where the record cannot be read."""
        with self._lock:
            rows, changed = self._record.rows()
            copied = self._ledger.stat().st_mtime_ns if self._ledger.exists() else None
            if self._data is None or changed or copied != self._copied:
                self._version += 1
                self._data, self._copied = self._study(rows.values()), copied
            return self._data

    def _study(self, rows: Iterable[Row]) -> StudyData:
        about = self._record.attributes().get("about", {})
        if not about.keys() >= {*NAMES, "source", "trials", "annotators", "mlflow", "server"}:
            raise InputError(
                f"{self.runs / self.name}: the record does not describe its study; run it once more, which trains "
                f"nothing that is finished: tal-search run study={self.name}"
            )
        data = StudyData(
            runs=self.runs, name=self.name, simulated=about["source"] == "simulated", planned=about["trials"],
            version=self._version, annotators=tuple(about["annotators"]), trials=pd.DataFrame(),
            **{name: about[name] for name in NAMES},
        )  # fmt: skip
        newest = {row.attributes["id"]: row for row in rows if "id" in row.attributes}
        page = (about["server"] or MLFLOW_PAGE) if about["mlflow"] else None
        links = {key: f"{page}/#/runs/{run}" for key, run in runs_noted(self._ledger).items()} if page else {}
        return replace(data, trials=trial_table(data, list(newest.values()), links))


def trial_table(data: StudyData, rows: list[Row], links: Mapping[str, str]) -> pd.DataFrame:
    """The `trials` of a StudyData, from each trial's newest attempt; links: MLflow URLs by the fit's key."""
    attributes = [row.attributes for row in rows]
    results = [found.get("result") or {} for found in attributes]
    ids = [found["id"] for found in attributes]
    keys = [name.partition("-")[0] for name in ids]
    table: dict[str, Any] = {"number": [row.number for row in rows], "id": ids, "key": keys}
    for axis in data.axes:
        table[axis] = [found["cell"].get(axis) for found in attributes]
    for name in ("method", "seed", "annotator", "annotation_seconds"):
        table[name] = [found[name] for found in attributes]
    table["state"] = [row.state for row in rows]
    table["cached"] = [bool(found.get("cached")) for found in attributes]
    table["epoch"] = [found.get("epoch", 0) for found in attributes]
    table |= _scores(data, results)
    for name in ("selected_epoch", "detections", "parameters", "seconds"):
        table[name] = np.array([result.get(name, np.nan) for result in results], np.float64)
    table["started"] = pd.to_datetime(pd.Series([row.started for row in rows], dtype=object))
    table["ended"] = pd.to_datetime(pd.Series([row.ended for row in rows], dtype=object))
    table["reason"] = [found.get("reason", "") for found in attributes]
    table["mlflow"] = pd.Series([links.get(key) for key in keys], dtype=object)
    return pd.DataFrame(table).sort_values("number", ignore_index=True)


def _scores(data: StudyData, results: list[dict[str, Any]]) -> dict[str, Floats]:
    """Columns of mAP in percent; NaN of trials without a result."""
    nothing = [np.nan] * len(data.tiou)
    mAP_NT = 100 * np.array([result.get("mAP", nothing) for result in results], np.float64).reshape(-1, len(data.tiou))
    held_NT = 100 * np.array([result.get("holdout_mAP") or nothing for result in results], np.float64).reshape(
        -1, len(data.tiou)
    )
    leaky = [np.nan if (best := result.get("best_on_test_mAP")) is None else 100 * best for result in results]
    low, high = data.averaged
    inside = [low - 1e-9 <= tiou <= high + 1e-9 for tiou in data.tiou]
    name = criterion(data.tiou)
    held = held_NT.mean(1) if name == "average" else held_NT[:, data.tiou.index(float(name))]
    columns = {f"mAP@{tiou:g}": mAP_NT[:, place] for place, tiou in enumerate(data.tiou)}
    return {**columns, "average": mAP_NT[:, inside].mean(1), "holdout": held, "leaky": np.array(leaky, np.float64)}
