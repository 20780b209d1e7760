"""A study's summary for its own run in MLflow, once its trials are copied: numbers, verdicts, tables and figures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from tal_search.plan.plan import Plan
from tal_search.results.trials import StudyFrame
from tal_search.tracking.ledger import parent_noted
from tal_search.tracking.study_values import StudyValues, study_values

PUBLISH_SECONDS = 30.0
INTERRUPTED_SECONDS = 2.0  # a command that is interrupted has ten in all, and its tracker had three of them
FILES = ("sensitivity.*", "cells.*", "cases.*", "overview.*")
"""What is kept of a study's folder: its tables, and the overview as JSON, HTML and pictures where it was made."""


def publish(plan: Plan, data: StudyFrame, *, seconds: float = PUBLISH_SECONDS) -> str | None:
    """Copy what a study came to so far to its run in MLflow, for at most so long; the files of its folder with it.

    Returns a sentence where it could not be done. Nothing is done for a study that has no run there.
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
        except Exception as error:  # MLflow raises many things; none of them is the study's
            failure[:] = [f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:200]]

    thread = threading.Thread(target=work, name="publish", daemon=True)
    thread.start()
    thread.join(seconds)
    if not failure:
        return None
    again = f"tal-search rebuild study={study.name}"
    return f"The summary of this study in MLflow is incomplete ({failure[0]}); to complete it: {again}"


def _copy(plan: Plan, parent: str, values: StudyValues, files: Sequence[Path]) -> None:
    from tal_search.tracking.mlflow_tracker import mlflow_store

    study, tracking = plan.study, plan.study.tracking
    store = mlflow_store(
        study.name, study.description, plan.dataset, study.runs, uri=tracking.uri, dashboard=tracking.dashboard_page
    )
    store.connect()
    store.summarize(parent, values)
    store.write(parent, values.ranking.to_csv(index=False), "ranking.csv")
    for path in files:
        store.keep(parent, path)
