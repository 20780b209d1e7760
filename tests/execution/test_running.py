"""Bookkeeping of a run: the record first, then the tracker, then the events shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tal_search.execution.running import Run
from tal_search.plan.plan import Plan
from tal_search.proposers.deadline import Deadline
from tal_search.proposers.events import Event, Failed, Finished, Pruned, Started
from tal_search.proposers.planned import Planned
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tal_search.tracking.tracker import NoTracker
from tal_search.trial.folder import TrialFolder
from tests.support.small_plans import at, cell_spec, plan_of, recorded
from tests.support.small_trials import make_result

FIRST, SECOND = cell_spec(0), cell_spec(1)


class Begun:
    """A run of a plan of trials, its proposer, and the events that it shows."""

    def __init__(self, plan: Plan, record: Record, minutes: float | None = None) -> None:
        self.shown: list[Event] = []
        self.run = Run(plan.study.runs, record, NoTracker(), self.shown.append)
        self.proposer = Deadline(Planned(plan, self.run.want), minutes)

    def handle(self, *events: Event) -> None:
        for event in events:
            self.run.handle(self.proposer, event)
        self.run.record.operations.flush()


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(tmp_path, [FIRST, SECOND])


@pytest.fixture
def record(plan: Plan) -> Iterator[Record]:
    folder = plan.study.runs / plan.study.name
    folder.mkdir()
    axes = {axis: distribution_of([value]) for axis, value in plan.centre_cell.items()}
    with Record.open(folder / "record.db", plan.study.name, axes) as record:
        yield record


def test_a_failure_counts_for_every_setting_of_its_fit_and_a_later_result_clears_it(plan: Plan, record: Record) -> None:
    begun = Begun(plan, record)
    begun.handle(Failed(FIRST, "no"))
    assert begun.run.failed == {FIRST.key: "no"}
    begun.handle(Started(FIRST), Finished(FIRST, make_result(FIRST)))
    outcome = begun.run.outcome(None, [], out_of_time=False, copied=True)
    assert (outcome.failed, outcome.finished, outcome.left) == ({}, {FIRST.key: make_result(FIRST)}, 1)
    assert recorded(plan) == [("FAIL", FIRST.key), ("COMPLETE", FIRST.key)]
    assert begun.shown == [Failed(FIRST, "no"), Started(FIRST), Finished(FIRST, make_result(FIRST))]


def test_a_trial_that_the_deadline_stops_stays_running_in_the_record(plan: Plan, record: Record) -> None:
    begun = Begun(plan, record, minutes=0.0)
    begun.handle(Started(FIRST), Pruned(FIRST))
    assert begun.shown == [Started(FIRST)]
    outcome = begun.run.outcome(None, [], out_of_time=True, copied=True)
    assert (outcome.out_of_time, outcome.left) == (True, 2)
    assert (begun.run.pruned, recorded(plan)) == ({}, [("RUNNING", FIRST.key)])


def test_a_trial_that_its_pruner_stops_is_pruned(plan: Plan, record: Record) -> None:
    begun = Begun(plan, record)
    begun.handle(Started(FIRST), Pruned(FIRST))
    assert begun.run.pruned == {FIRST.key: "stopped early"}
    assert recorded(plan) == [("PRUNED", FIRST.key)]


def test_known_results_are_shown_once_as_cached(plan: Plan, record: Record) -> None:
    TrialFolder.of(plan.study.runs, FIRST.key).write_result(make_result(FIRST))
    begun = Begun(plan, record)
    begun.run.want([at(FIRST)])
    record.operations.flush()
    assert (begun.run.cached, begun.shown) == (1, [Finished(FIRST, make_result(FIRST))])
    assert recorded(plan) == [("COMPLETE", FIRST.key)]
