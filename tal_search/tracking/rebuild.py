"""MLflow's copy of a study made again, from the record and the trial folders."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

from optuna.trial import TrialState

from tal_search.errors import InputError, MissingExtra, TalSearchError
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.record.driver_lock import claimed
from tal_search.record.storage import READ, Row, close, open_storage, rows, shown
from tal_search.results.trials import StudyFrame
from tal_search.tracking.publish import publish
from tal_search.tracking.tracker import Status
from tal_search.tracking.values import Naming
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec

ENDED: dict[TrialState, Status] = {
    TrialState.COMPLETE: "finished", TrialState.FAIL: "failed", TrialState.PRUNED: "pruned",
}  # fmt: skip


def rebuild(plan: Plan) -> str:
    """Copy every ended fit of the study's record to MLflow, then what the study came to; returns a sentence.

    Raises InputError where the study has no record or MLflow is not installed, TalSearchError where the copy is still
    incomplete at the end.
    """
    study, tracking = plan.study, plan.study.tracking
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("mlflow", "tracking")
    from tal_search.tracking import mlflow_tracker

    known = list(_rows(study.record or study.runs / study.name / "record.db", study.name, study.runs))
    trials = list(_ended(known, plan))
    with claimed(study.runs / study.name):
        message = mlflow_tracker.rebuild(
            study=study.name,
            description=study.description,
            dataset=plan.dataset,
            runs=study.runs,
            uri=tracking.uri,
            artifacts=tracking.artifacts,
            trials=trials,
            naming=Naming.of(plan),
            dashboard=tracking.dashboard_page,
        )
        message = message or publish(plan, _frame(known, plan))
    if message:
        raise TalSearchError(message)
    place = tracking.uri or study.runs / "mlflow.db"
    return f"{len(trials)} trained trials of {study.name} are in {shown(str(place))}."


def _rows(where: Path | str, study: str, runs: Path) -> Iterator[Row]:
    """Every trial of the record."""
    if isinstance(where, Path) and not where.exists():
        raise InputError(f"{where} is not there; run the study first, or name its folder with runs=FOLDER")
    storage = open_storage(where, runs / study)
    try:
        known = {frozen.study_name: frozen._study_id for frozen in storage.get_all_studies()}
        if study not in known:
            raise InputError(f"{shown(where)} holds no study {study}; it holds {', '.join(known) or 'none'}")
        yield from rows(storage, known[study], (*READ, "cell", "annotator", "seed"))
    finally:
        close(storage)


def _ended(known: list[Row], plan: Plan) -> Iterator[tuple[TrialSpec, TrialResult | None, Status, str]]:
    """Each fit that ended, once, as its newest trial says; a fit whose folder is gone cannot be described.

    What the study says of a fit counts: its folder may have been made by another one, with other axes.
    """
    newest: dict[str, Row] = {}
    for row in known:
        key = row.attributes["id"].partition("-")[0]
        if row.state == TrialState.COMPLETE or key not in newest or newest[key].state != TrialState.COMPLETE:
            newest[key] = row
    asked = {spec.key: spec for spec in plan.fits}
    for key, row in newest.items():
        folder = TrialFolder.of(plan.study.runs, key)
        if row.state in ENDED and (folder.path / "spec.json").exists():
            content = json.loads((folder.path / "spec.json").read_text())
            del content["key"]
            spec = asked.get(key) or TrialSpec.from_json(content)
            yield spec, folder.result(), ENDED[row.state], row.attributes.get("reason", "")


def _frame(known: list[Row], plan: Plan) -> StudyFrame:
    """The study as its record has it; a sampler's cells are in the record alone."""
    trials = {trial.id: trial for trial in plan.trials}
    if plan.study.search.plan == "sampler":
        drawn = (plan.trial(*(row.attributes[name] for name in ("cell", "seed", "annotator"))) for row in known)
        trials = {trial.id: trial for trial in drawn}
    done = {row.attributes["id"]: row.attributes["result"] for row in known if row.state == TrialState.COMPLETE}
    results = {name: TrialResult.from_json(done[name]) for name in trials if name in done}
    return study_frame(plan, trials.values(), results)
