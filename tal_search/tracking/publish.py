"""Copies a study's summary to its MLflow run once its trials have ended: numbers, verdicts, tables and figures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from tal_search.plan.plan import Plan
from tal_search.results.trials import StudyFrame
from tal_search.text.csv_text import csv_text
from tal_search.text.urls import masked
from tal_search.tracking.ledger import parent_noted
from tal_search.tracking.mlflow_store import MlflowStore
from tal_search.tracking.study_values import StudyValues, study_values
from tal_search.tracking.values import rebuild_command

PUBLISH_SECONDS = 30.0
INTERRUPTED_SECONDS = 2.0  # an interrupted command has ten seconds in all, and its tracker had three of them
FILES = ("sensitivity.*", "cells.*", "cases.*", "overview.*")
"""Copied from a study's folder: its tables, and the overview as JSON, HTML and images if it was made."""


def publish(plan: Plan, data: StudyFrame, *, seconds: float = PUBLISH_SECONDS) -> str | None:
    """Copy the summary of a study, with the files of its folder, to its run in MLflow; for at most `seconds`.

    Returns a message if that failed. A study without a run in MLflow, or without a finished trial, is left alone.
    """
    study = plan.study
    folder = study.runs.resolve() / study.name
    parent = parent_noted(folder / "mlflow.jsonl")
    if parent is None or data.done.empty:
        return None
    values = study_values(data)
    files = [path for pattern in FILES for path in sorted(folder.glob(pattern)) if path.is_file()]
    failure = [f"it was not done after {seconds:g} seconds"]

    def work() -> None:
        try:
            _copy(plan, parent, values, files)
            failure.clear()
        except Exception as error:  # MLflow raises many kinds of errors; none may stop the study
            failure[:] = [masked(f"{type(error).__name__}: {str(error).strip()}".splitlines()[0])[:200]]

    thread = threading.Thread(target=work, name="publish", daemon=True)
    thread.start()
    thread.join(seconds)
    if not failure:
        return None
    return f"The summary of this study in MLflow is incomplete ({failure[0]}); to complete it: {rebuild_command(study)}"


def _copy(plan: Plan, parent: str, values: StudyValues, files: Sequence[Path]) -> None:
    store = MlflowStore.of(plan)
    store.connect()
    store.summarize(parent, values)
    store.write(parent, csv_text(values.ranking), "ranking.csv")
    for path in files:
        store.keep(parent, path)
