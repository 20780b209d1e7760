"""The proposer of planned studies: each fit once, within the budget, and an end."""

from __future__ import annotations

from pathlib import Path

from tal_search.plan.cells import Trial
from tal_search.proposers.events import Failed, Finished
from tal_search.proposers.planned import Planned
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.small_plans import at, cell_spec, plan_of
from tests.support.small_trials import make_result


def proposer(
    runs: Path, wanted: list[TrialSpec] | list[Trial], known: dict[str, TrialResult], trials: int | None = None
) -> Planned:
    return Planned(plan_of(runs, wanted, trials=trials), lambda new: {t.id: known[t.id] for t in new if t.id in known})


def test_trials_of_one_fit_are_asked_for_once_and_known_ones_never(tmp_path: Path) -> None:
    shared, known, other = cell_spec(0), cell_spec(1), cell_spec(2)
    wanted = [at(shared, 0.5), at(shared, 0.3), at(known), at(other)]
    proposed = proposer(tmp_path, wanted, {known.key: make_result(known)})
    first, second = proposed.ask(), proposed.ask()
    assert isinstance(first, TrialSpec)
    assert (first.key, first.settings) == (shared.key, ({"nms": 0.3},))
    assert second == other
    assert proposed.ask() is None
    assert proposed.ended is None, "two are running"
    proposed.tell(Finished(shared, make_result(shared)))
    proposed.tell(Failed(other, "diverged"))
    assert proposed.ended == ""


def test_the_budget_counts_results_and_running_trials(tmp_path: Path) -> None:
    specs = [cell_spec(seed) for seed in range(3)]
    proposed = proposer(tmp_path, specs, {}, trials=2)
    assert [proposed.ask(), proposed.ask(), proposed.ask()] == [*specs[:2], None]
    proposed.tell(Failed(specs[0], "diverged"))
    assert proposed.ask() == specs[2], "a failed trial has no result"
