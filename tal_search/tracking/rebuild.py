"""MLflow's copy of a study made again, from the record and the trial folders."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

from optuna.trial import TrialState

from tal_search.errors import InputError, MissingExtra, TalSearchError
from tal_search.plan.plan import Plan
from tal_search.record.driver_lock import claimed
from tal_search.record.storage import Row, close, open_storage, rows, shown
from tal_search.tracking.tracker import Status
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec

ENDED: dict[TrialState, Status] = {
    TrialState.COMPLETE: "finished", TrialState.FAIL: "failed", TrialState.PRUNED: "pruned",
}  # fmt: skip


def rebuild(plan: Plan) -> str:
    """Copy every ended fit of the study's record to MLflow; returns a sentence.

    Raises InputError where the study has no record or MLflow is not installed, TalSearchError where the copy is still
    incomplete at the end.
    """
    study = plan.study
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("mlflow", "tracking")
    from tal_search.tracking import mlflow_tracker

    trials = list(_ended(study.record or study.runs / study.name / "record.db", study.name, study.runs))
    with claimed(study.runs / study.name):
        message = mlflow_tracker.rebuild(
            study=study.name,
            description=study.description,
            dataset=plan.dataset,
            runs=study.runs,
            uri=study.tracking.uri,
            artifacts=study.tracking.artifacts,
            trials=trials,
        )
    if message:
        raise TalSearchError(message)
    place = study.tracking.uri or study.runs / "mlflow.db"
    return f"{len(trials)} trained trials of {study.name} are in {shown(str(place))}."


def _ended(where: Path | str, study: str, runs: Path) -> Iterator[tuple[TrialSpec, TrialResult | None, Status, str]]:
    """Each fit that ended, once, as its newest trial says; a fit whose folder is gone cannot be described."""
    if isinstance(where, Path) and not where.exists():
        raise InputError(f"{where} is not there; run the study first, or name its folder with runs=FOLDER")
    newest: dict[str, Row] = {}
    storage = open_storage(where, runs / study)
    try:
        known = {frozen.study_name: frozen._study_id for frozen in storage.get_all_studies()}
        if study not in known:
            raise InputError(f"{shown(where)} holds no study {study}; it holds {', '.join(known) or 'none'}")
        for row in rows(storage, known[study]):
            key = row.attributes["id"].partition("-")[0]
            if row.state == TrialState.COMPLETE or key not in newest or newest[key].state != TrialState.COMPLETE:
                newest[key] = row
    finally:
        close(storage)
    for key, row in newest.items():
        folder = TrialFolder.of(runs, key)
        if row.state in ENDED and (folder.path / "spec.json").exists():
            content = json.loads((folder.path / "spec.json").read_text())
            del content["key"]
            yield TrialSpec.from_json(content), folder.result(), ENDED[row.state], row.attributes.get("reason", "")
