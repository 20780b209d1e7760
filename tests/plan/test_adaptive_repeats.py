"""Adaptive repeats: of cells whose paired interval is too wide, and at most as many as the study allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tal_search.execution.driver import run_study
from tal_search.plan.adaptive_repeats import next_repeats
from tal_search.plan.cells import Trial, cells
from tal_search.plan.plan import Plan
from tal_search.proposers.events import Event, Started
from tal_search.study import RepeatSettings, SearchSettings, UntilSettings
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.sampled_plans import CENTRE, sampled_plan
from tests.support.small_trials import TIOU, counting_trial, history, make_result

CLEAR, NOISY = 2.0, 4.0  # lambda_sep of a cell that is always 3 points worse, and of one that is worse or better


def plan_of(
    runs: Path,
    seeds: tuple[int, ...] = (0, 1, 2),
    annotators: tuple[str, ...] = ("a",),
    at_most: int = 5,
    interval: float = 1.0,
    kind: str = "one_at_a_time",
    axis: tuple[float, ...] = (1.0, CLEAR, NOISY),
) -> Plan:
    sampled = sampled_plan(runs)
    search = SearchSettings(
        plan=kind,  # type: ignore[arg-type]
        axes={"lambda_sep": axis},
        repeats=RepeatSettings(seeds=seeds, until=UntilSettings(interval=interval, at_most=at_most)),
    )
    study = replace(sampled.study, name="repeats", search=search, budget=replace(sampled.study.budget, trials=None))
    centre = {"lambda_sep": CENTRE["lambda_sep"]}
    plan = replace(
        sampled,
        study=study,
        protocol={**sampled.protocol, "selection": "last"},
        annotators=annotators,
        centre_cell=centre,
        cells=tuple(cells(search, centre)),
    )
    return replace(plan, trials=tuple(plan.trial(cell, *repeat) for cell in plan.cells for repeat in plan.repeats))


def scored(spec: TrialSpec) -> TrialResult:
    """Cells differ by what their names say; every seed is worth the same to all of them."""
    cell, seed = spec.hyperparameters["lambda_sep"], spec.seed
    points = {CLEAR: -3.0, NOISY: 4.0 * (-1) ** seed}.get(cell, 0.0) + (7 * seed) % 5
    return replace(make_result(spec), mAP=tuple((40 + points) / 100 for _ in TIOU))


def trial_function(spec: TrialSpec, folder: TrialFolder) -> Iterator[Any]:
    yield from counting_trial(spec, folder)
    folder.write_result(scored(spec))


def names(trials: list[Trial]) -> list[tuple[float, int, str]]:
    return [(trial.cell["lambda_sep"], *trial.repeat) for trial in trials]


def known(trials: list[Trial], but: tuple[Trial, ...] = ()) -> dict[str, TrialResult]:
    return {trial.id: scored(trial.spec) for trial in trials if trial not in but}


def test_undecided_cells_get_a_repeat_paired_with_the_centre(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert names(next_repeats(plan, plan.trials, known(list(plan.trials)))) == [(1.0, 3, "a"), (NOISY, 3, "a")]


def test_without_until_there_are_none(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    search = replace(plan.study.search, repeats=RepeatSettings(seeds=(0, 1, 2)))
    once = replace(plan, study=replace(plan.study, search=search))
    assert next_repeats(once, plan.trials, known(list(plan.trials))) == []


def test_a_difference_counts_from_three_repeats_on_whatever_its_sign(tmp_path: Path) -> None:
    for seeds in ((4,), (3, 4)):
        plan = plan_of(tmp_path, seeds=seeds, interval=1000.0)
        trials = next_repeats(plan, plan.trials, known(list(plan.trials)))
        assert names(trials) == [(1.0, 5, "a"), (CLEAR, 5, "a"), (NOISY, 5, "a")]
    wide = plan_of(tmp_path, interval=28.8)  # of NOISY, 4, -4 and 4: 28.90, as two differences hold at once
    assert names(next_repeats(wide, wide.trials, known(list(wide.trials)))) == [(1.0, 3, "a"), (NOISY, 3, "a")]
    wider = plan_of(tmp_path, interval=29.0)
    assert next_repeats(wider, wider.trials, known(list(wider.trials))) == []


def test_further_seeds_run_over_all_annotators(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, seeds=(3,), annotators=("a", "b"), axis=(1.0, NOISY), at_most=6)
    trials, found = list(plan.trials), []
    results = {trial.id: scored(trial.spec) for trial in trials}
    noisy = {trial.id for trial in trials if trial.cell["lambda_sep"] == NOISY}
    for number, name in enumerate(noisy):  # apart even between annotators of one seed
        results[name] = replace(results[name], mAP=(number / 2,) * 3)
    for _ in range(10):
        new = next_repeats(plan, trials, results)
        found += names(new)
        trials += new
        results |= {trial.id: replace(scored(trial.spec), mAP=(len(trials) % 3 / 3,) * 3) for trial in new[1:]}
        results |= {trial.id: scored(trial.spec) for trial in new[:1]}
    asked = [(4, "a"), (4, "b"), (5, "a"), (5, "b")]
    assert found == [(cell, *repeat) for repeat in asked for cell in (1.0, NOISY)]


def test_a_failed_repeat_counts_as_tried(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, at_most=5)
    trials = list(plan.trials)
    results = known(trials)
    asked = []
    while new := next_repeats(plan, trials, results):
        asked += [trial for trial in new if trial.cell["lambda_sep"] == NOISY]
        trials += new
        results |= known([trial for trial in new if trial.cell["lambda_sep"] != NOISY])
    assert names(asked) == [(NOISY, 3, "a"), (NOISY, 4, "a")]


def test_a_centre_that_failed_is_not_asked_for_without_end(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, at_most=4)
    trials = list(plan.trials)
    results = known([trial for trial in trials if trial.cell["lambda_sep"] != 1.0])
    rounds = 0
    while new := next_repeats(plan, trials, results):
        rounds += 1
        assert rounds < 10
        trials += new
        results |= known([trial for trial in new if trial.cell["lambda_sep"] != 1.0])
    assert Counter(trial.cell["lambda_sep"] for trial in trials) == {1.0: 4, CLEAR: 4, NOISY: 4}


def test_a_grid_without_the_centre_gets_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, kind="grid", axis=(CLEAR, NOISY))
    assert {trial.cell["lambda_sep"] for trial in plan.trials} == {1.0, CLEAR, NOISY}
    assert plan.trials[0].cell == plan.centre_cell


def run(plan: Plan, kill_after: int | None = None) -> tuple[list[tuple[float, int]], int | None]:
    """What was started by this run, in order, and how it was interrupted."""
    started: list[tuple[float, int]] = []

    def see(event: Event) -> None:
        if isinstance(event, Started):
            started.append((event.spec.cell["lambda_sep"], event.spec.seed))
            if len(started) == kill_after:
                raise KeyboardInterrupt

    outcome = run_study(plan, on_event=see, trial=trial_function)
    return started, outcome.interrupted


def test_a_study_spends_repeats_where_they_are_needed_and_resumes(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "whole")
    whole, _ = run(plan)
    counts = Counter(cell for cell, _ in whole)
    assert counts == {1.0: 5, CLEAR: 3, NOISY: 5}
    assert run(plan) == ([], None)
    parts = plan_of(tmp_path / "parts")
    first, interrupted = run(parts, kill_after=10)
    assert interrupted == 130
    second, _ = run(parts)
    assert first[:-1] + second == whole
    trained = [note for path in (tmp_path / "parts" / "trials").iterdir() for note in history(TrialFolder(path), "fin")]
    assert len(trained) == len(whole)
