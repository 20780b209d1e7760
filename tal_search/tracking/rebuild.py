"""Completes or renews the MLflow copy of a study, from the trial folders and the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from tal_search.errors import InputError, TalSearchError
from tal_search.files.checked import Damaged, sqlite_problem
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.record import seal
from tal_search.record.driver_lock import lock_study
from tal_search.record.storage import READ, Row, close, open_storage, rows, shown
from tal_search.results.trials import StudyFrame
from tal_search.tracking.mlflow_client import import_mlflow
from tal_search.tracking.mlflow_database import address_of
from tal_search.tracking.mlflow_tracker import mlflow_tracker
from tal_search.tracking.publish import publish
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import State, TrialOutcome, TrialResult, TrialSpec

UNREADABLE = ("file is not a database", "database disk image is malformed")  # reported, or mended, when it is opened
ENDED: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished", TrialState.FAIL: "failed", TrialState.PRUNED: "pruned",
}  # fmt: skip


def rebuild(plan: Plan, say: Callable[[str], None] | None = None) -> str:
    """Copy the folder of every ended fit of a study to MLflow, then the study's summary; returns a message.

    say: gets a sentence where MLflow's database is made anew.
    Raises InputError if the study has no record or MLflow is not installed, TalSearchError if the copy is incomplete.
    """
    study = plan.study
    import_mlflow()
    _require_sound(address_of(study.runs, study.tracking)[1])
    where = study.record or study.runs / study.name / "record.db"
    with _opened(where, study.name):  # fail before anything is written
        pass
    with lock_study(study.runs / study.name, study.record) as lock:
        with _opened(where, study.name) as (storage, study_id):
            known = list(rows(storage, study_id, (*READ, "cell", "annotator", "seed", "fold")))
        ended = list(_ended(known, plan))
        tracker = mlflow_tracker(plan, say, search=True, check=lock.check)
        for spec, outcome in ended:
            tracker.finish(spec, outcome)
        message = tracker.close() or publish(plan, _frame(known, plan))
    if message:
        raise TalSearchError(message)
    place = study.tracking.uri or study.runs / "mlflow.db"
    return f"{len(ended)} trained trials of {study.name} are in {shown(str(place))}."


def _require_sound(database: Path | None) -> None:
    """Raise Damaged where SQLite can read MLflow's database but finds it damaged; it can be made again, as a copy."""
    if database is None or not database.exists():
        return
    problem = sqlite_problem(database)
    if problem is not None and problem not in UNREADABLE:
        raise Damaged(database, problem, "move it away, then run `tal-search rebuild` for each study of the folder")


@contextmanager
def _opened(where: Path | str, study: str) -> Iterator[tuple[RDBStorage, int]]:
    """The record, and the id of the study in it. Raises InputError where it cannot be read or has no such study."""
    if isinstance(where, Path) and not where.exists():
        raise InputError(f"{where} does not exist; run the study first, or name its folder with runs=FOLDER")
    if isinstance(where, Path):
        seal.require_sound(where)
    storage = open_storage(where)
    try:
        known = {frozen.study_name: frozen._study_id for frozen in storage.get_all_studies()}
        if study not in known:
            raise InputError(f"{shown(where)} holds no study {study}; it holds {', '.join(known) or 'none'}")
        yield storage, known[study]
    except (SQLAlchemyError, *seal.UNREADABLE) as error:
        if isinstance(where, Path):
            raise seal.damaged(where, error) from error
        raise
    finally:
        close(storage)


def _ended(known: list[Row], plan: Plan) -> Iterator[tuple[TrialSpec, TrialOutcome]]:
    """Each fit that ended and still has its folder, once, with its outcome.

    The record tells which fits are the study's and have ended; a fit's folder tells how, or the record if the folder
    does not. The study's own specification of a fit takes precedence: another study, with other axes, may have made
    the folder.
    """
    newest: dict[str, Row] = {}
    for row in known:
        key = row.attributes["id"].partition("-")[0]
        if row.state == TrialState.COMPLETE or key not in newest or newest[key].state != TrialState.COMPLETE:
            newest[key] = row
    planned = {spec.key: spec for spec in plan.fits}
    for key, row in newest.items():
        if row.state not in ENDED:
            continue
        folder = TrialFolder.of(plan.study.runs, key)
        spec = planned.get(key) if folder.has_spec() else None
        spec = spec or folder.spec()
        if spec is not None:
            outcome, recorded = folder.outcome(), _recorded(row)
            yield spec, outcome if outcome.state in ("finished", recorded.state) else recorded


def _recorded(row: Row) -> TrialOutcome:
    """The outcome of a trial in the record; only failures have a reason in the copy."""
    state = ENDED[row.state]
    return TrialOutcome(state, reason=row.attributes.get("reason", "") if state == "failed" else "")


def _frame(known: list[Row], plan: Plan) -> StudyFrame:
    """The study's frame from its record, which alone has the cells of a sampler."""
    trials = {trial.id: trial for trial in plan.trials}
    if plan.study.search.plan == "sampler":
        names = ("cell", "seed", "annotator", "fold")
        drawn = (plan.trial(*(row.attributes[name] for name in names if name in row.attributes)) for row in known)
        trials = {trial.id: trial for trial in drawn}
    done = {row.attributes["id"]: row.attributes["result"] for row in known if row.state == TrialState.COMPLETE}
    results = {name: TrialResult.from_json(done[name]) for name in trials if name in done}
    return study_frame(plan, trials.values(), results)
