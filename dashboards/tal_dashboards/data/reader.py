"""Reader that turns a study's record into the `StudyData` of the views, reread when the record changes."""

from __future__ import annotations

import gc
import io
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from tal_dashboards.data.study_data import StudyData
from tal_search.data.catalog import definition
from tal_search.data.dataset_spec import simulation_label
from tal_search.data.definition import PublishedSystem
from tal_search.errors import InputError
from tal_search.record.record_reader import (
    RecordReader,
    Row,
    is_asked_for,
    recorded_studies,
    trials_of_one_code,
    unreadable,
)
from tal_search.record.seal import ENDING, UNREADABLE
from tal_search.results.folds.pooling import with_pooled_folds
from tal_search.results.published import published_systems
from tal_search.results.trials import score_columns
from tal_search.study.rules import NAME
from tal_search.text.commands import command_line, repeated
from tal_search.text.urls import web_link
from tal_search.text.words import some_of
from tal_search.tracking.ledger import runs_noted
from tal_search.trial.pooled.joint_folds import joint_scores
from tal_search.types import INFERENCE, Floats

MLFLOW_PAGE = "http://127.0.0.1:5000"  # address of `mlflow ui`, for tracking without an MLflow server
# Fields of a result: lists and numbers.
LISTS = ("mAP", "holdout_mAP")
NUMBERS = ("selected_epoch", "detections", "parameters", "seconds", "scoring_seconds")
NAMES = (
    "description", "dataset", "data", "plan", "method", "preset", "axes", "centre", "hyperparameters", "inference",
    "fit_inference", "protocol", "objectives", "cases", "scored",
)  # fmt: skip


def label_of(about: Mapping[str, Any]) -> str:
    """The label of a study by its metadata, which those of earlier versions lack: "simulated data" or other."""
    return str(about.get("label") or simulation_label(str(about.get("source")), ()))


def methods_of(about: Mapping[str, Any]) -> str:
    """The methods of a study by its metadata, which in earlier versions name one."""
    return some_of(list(about.get("methods") or filter(None, [about.get("method")])))


class StudyReader:
    """Reads one study when called; returns the same StudyData while the record is unchanged."""

    def __init__(self, runs: Path, name: str) -> None:
        names = list(recorded_studies(runs))
        if name not in names and not NAME.fullmatch(name):
            raise InputError(f"study={name} is no name of a study; a name has letters, digits, - and _")
        if name not in names:
            known = f"studies there: {', '.join(names)}" if names else "no study was run there yet"
            run = command_line("run", *repeated(name, runs, ()))
            raise InputError(f"{runs} has no record of a study {name}; {known}; make it: {run}")
        self.runs, self.name = runs, name
        self._record, self._ledger = RecordReader(runs / name), runs / name / "mlflow.jsonl"
        self._data: StudyData | None = None
        self._beside = (self._ledger, runs / name / f"record.db{ENDING}")
        self._seen: object = None  # their times
        self._version = 0
        self._lock = threading.Lock()

    def __call__(self) -> StudyData:
        """Raises InputError if the record cannot be read."""
        with self._lock, _no_collection():
            rows, changed = self._record.rows()
            beside = [path.stat().st_mtime_ns if path.exists() else None for path in self._beside]
            if self._data is None or changed or beside != self._seen:
                self._version += 1
                try:
                    self._data = self._study(rows.values())
                except (*UNREADABLE, pa.ArrowException) as error:
                    raise unreadable(self.runs / self.name, error) from error
                self._seen = beside
            return self._data

    def _study(self, rows: Iterable[Row]) -> StudyData:
        about = self._record.description()
        if not about.keys() >= {*NAMES, "source", "trials", "annotators", "mlflow", "server"}:
            run = command_line("run", *repeated(self.name, self.runs, about.get("overrides", ())))
            raise InputError(
                f"{self.runs / self.name}: the record does not describe its study; run it again (finished trials are "
                f"not trained again): {run}"
            )
        data = StudyData(
            runs=self.runs, name=self.name, simulated=about["source"] == "simulated", planned=about["trials"],
            version=self._version, annotators=tuple(about["annotators"]), trials=pd.DataFrame(),
            overrides=tuple(about.get("overrides", ())), lanes=about.get("lanes", 1), published=_published(about),
            folds=about.get("folds", {}), shares=about.get("shares", {}), label=label_of(about),
            **{name: about[name] for name in NAMES},
        )  # fmt: skip
        newest, left_out = trials_of_one_code(rows, about.get("code_versions", {}))
        page = web_link(about["server"] or MLFLOW_PAGE) if about["mlflow"] else ""
        links = (
            {key: f"{page}/#/runs/{quote(run, safe='')}" for key, run in runs_noted(self._ledger).items()}
            if page
            else {}
        )
        data = replace(data, trials=trial_table(data, newest, links), other_code=left_out)
        data = with_pooled_folds(data, lambda ids: joint_scores(self.runs, self.name, ids))
        data.note(self._record.damage())
        return data


def _published(about: Mapping[str, Any]) -> dict[str, PublishedSystem]:
    """The published systems of a study's dataset by name; records of earlier versions leave them to the definition."""
    if "published" not in about:
        return published_systems(definition(about["dataset"]))
    return {system["system"]: PublishedSystem(**system) for system in about["published"]}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause garbage collection, which takes a fifth of the time of reading 100 000 trials and finds no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def trial_table(data: StudyData, rows: list[Row], links: Mapping[str, str]) -> pd.DataFrame:
    """The `trials` of a StudyData, from each trial's newest attempt; links: MLflow URLs by the fit's key.

    Trials that are off the centre in an axis that the study no longer has (or a rescored setting) are left out, as by
    the remaining axes they would look like repeats of another cell.
    """
    column = {name: [getattr(row, name) for row in rows] for name in Row._fields}
    ids, cells = parsed(column["id"]), parsed(column["cell"])
    keys = [name.partition("-")[0] for name in ids]
    table: dict[str, Sequence[object] | Floats | pd.Series] = {"number": column["number"], "id": ids, "key": keys}
    for axis in data.axes:
        table[axis] = [cell.get(axis) for cell in cells]
    for name in ("method", "seed", "annotator", "annotation_seconds"):
        table[name] = parsed(column[name])
    if data.folds:
        table["fold"] = parsed(column["fold"])
    table["annotation_total"] = np.array(parsed(column["annotation_total"]), np.float64)  # None: NaN
    table["state"] = column["state"]
    table["cached"] = [bool(cached) for cached in parsed(column["cached"])]
    table["epoch"] = [epoch or 0 for epoch in parsed(column["epoch"])]
    results = _read_results(column["result"])
    table |= _results(data, results)
    for name in ("started", "ended"):
        table[name] = pd.to_datetime(pd.Series(column[name], dtype=object))
    notes = results["note"].to_pylist()  # of finished trials; others have a reason of their own
    table["reason"] = [reason or note or "" for reason, note in zip(parsed(column["reason"]), notes, strict=True)]
    table["mlflow"] = pd.Series([links.get(key) for key in keys], dtype=object)
    inference = {f"{INFERENCE}{name}": value for name, value in data.inference.items()}
    centre = {**data.hyperparameters, **inference, **data.shares}
    here = [is_asked_for(cell, data.axes, centre) for cell in cells]
    return pd.DataFrame(table).loc[here].sort_values("number", ignore_index=True)


def parsed(texts: Sequence[str | None]) -> list[Any]:
    """The values of JSON texts, None for None; equal texts are parsed once and share their value."""
    known = list(dict.fromkeys(text for text in texts if text is not None))
    values = dict(zip(known, json.loads(f"[{','.join(known)}]"), strict=True))
    return [None if text is None else values[text] for text in texts]


def _results(data: StudyData, results: pa.Table) -> dict[str, Floats]:
    """Columns of results, mAP in percent; NaN for trials without a result."""
    mAP_NT, held_NT = (_rows(results[name], len(data.tiou)) for name in LISTS)
    columns = score_columns(data.tiou, mAP_NT, held_NT, results["best_on_test_mAP"].to_numpy())
    return columns | {name: results[name].to_numpy() for name in NUMBERS}


def _read_results(texts: Sequence[str | None]) -> pa.Table:
    """Columns LISTS, `best_on_test_mAP`, NUMBERS and `note` of JSON texts; Arrow reads 100 000 in half a second."""
    lists = [(name, pa.list_(pa.float64())) for name in LISTS]
    schema = pa.schema(
        [*lists, *((name, pa.float64()) for name in ("best_on_test_mAP", *NUMBERS)), ("note", pa.string())]
    )
    if not texts:
        return schema.empty_table()
    options = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    lines = "\n".join(text or "{}" for text in texts).encode()
    return pa_json.read_json(io.BytesIO(lines), parse_options=options).combine_chunks()


def _rows(lists: pa.ChunkedArray, length: int) -> Floats:
    """Lists of this length as rows [N, length]; NaN for missing lists."""
    table_NT = np.full((len(lists), length), np.nan)
    table_NT[lists.is_valid().to_numpy()] = pc.list_flatten(lists).to_numpy().reshape(-1, length)
    return table_NT
