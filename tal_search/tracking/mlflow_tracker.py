"""Tracks a study in MLflow: one parent run for the study, one child run per fit.

The runs are a copy; the record and the trial folders are authoritative. Running the study again continues its runs and
copies what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tal_search.plan.plan import Plan
from tal_search.tracking.background import CLOSE_SECONDS, BackgroundTracker
from tal_search.tracking.ledger import Ledger
from tal_search.tracking.mlflow_store import MlflowStore
from tal_search.tracking.sync import StudyCopy
from tal_search.tracking.values import Naming, cost_values, rebuild_command


def mlflow_tracker(
    plan: Plan,
    say: Callable[[str], None] | None = None,
    *,
    search: bool = False,
    close_seconds: float = CLOSE_SECONDS,
    check: Callable[[], None] | None = None,
) -> BackgroundTracker:
    """The tracker of a study, where its tracking settings say.

    say: gets a sentence, in the tracker's thread, where a database is made anew. search: ask MLflow which trials it
    holds instead of reading the ledger. check: see `BackgroundTracker`. Raises MissingExtra if MLflow is missing.
    """
    store, runs = MlflowStore.of(plan, say), plan.study.runs.resolve()
    ledger = Ledger(runs / plan.study.name / "mlflow.jsonl")
    again = rebuild_command(plan.study)
    costs = partial(cost_values, plan)
    copy = StudyCopy(plan.study.name, store, ledger, costs, search, Naming.of(plan), store.dashboard, again=again)
    return BackgroundTracker(copy, runs, close_seconds=close_seconds, check=check)
