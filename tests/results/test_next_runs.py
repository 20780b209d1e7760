"""Recommended next runs: how many seeds, in which order, and the command that adds them."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace

import pytest

from tal_search.results.next_runs import MOST_SEEDS, NextRun, command, duration, next_runs, next_steps
from tal_search.results.overview import overview
from tal_search.results.uncertainty.contrasts import LEAST_REPEATS
from tal_search.study import load_study
from tests.support.drawn_sweep import study
from tests.support.small_dashboards import Made


def test_what_to_run_next_is_the_command_of_the_last_run_with_more_seeds() -> None:
    data = study({}, seeds=1)
    (step,) = overview(data).next
    assert (step.seeds, step.trials, step.decides) == (3, 2 * 17, ("axis 0", "axis 1", "axis 2", "axis 3"))
    assert step.minutes == pytest.approx(2 * 17 * 60 / 2 / 60)
    assert shlex.split(step.command)[3:] == ["study=drawn", "a.b=1", "search.repeats.seeds=[0,1,2]"]


def test_proposals_come_cheapest_first_and_leave_out_what_seeds_cannot_decide() -> None:
    data = study({}, seeds=3)
    steps = next_runs(data, {"a": 9.0, "b": 5.0, "c": math.inf, "d": MOST_SEEDS + 1.0, "e": 12.0, "f": 14.0})
    assert [(step.seeds, step.decides) for step in steps] == [(5, ("b",)), (9, ("a", "b")), (12, ("a", "b", "e"))]
    assert next_runs(data, {"c": math.inf}) == ()


def test_the_proposed_command_is_one_that_the_program_takes(swept: Made) -> None:
    frame = swept.frame
    (step, *_) = next_runs(frame, {"lambda_sep": 9.0})
    python, m, module, study_name, *overrides = shlex.split(step.command)
    assert (python, m, module) == ("python", "-m", "tal_search.run")
    loaded = load_study(study_name.removeprefix("study="), overrides)
    assert loaded.search.repeats.seeds == (0, 1, 2, 3, 4, 5, 6, 7, 8)
    assert loaded.runs == swept.runs
    assert loaded.search.axes == swept.plan.study.search.axes


def test_an_override_of_the_last_run_is_replaced_however_it_was_written() -> None:
    data = replace(study({}), overrides=("study=drawn", "+a.b=1", "~c.d", "e=a b"))
    assert shlex.split(command(data, "a.b=2", "c.d=3"))[3:] == ["study=drawn", "e=a b", "a.b=2", "c.d=3"]
    assert shlex.split(command(replace(data, overrides=())))[3:] == ["study=drawn"]


def test_steps_are_sentences_and_what_no_command_decides_is_named() -> None:
    decides = ("a", "b", "c", "d")
    runs = (NextRun(LEAST_REPEATS, decides, 8, 0.5, "first"), NextRun(9, ("e",), 20, math.nan, "second"))
    assert next_steps(runs, {"a": "3 seeds", "e": "9 seeds", "f": "more annotators"}) == [
        ("3 seeds are the least for a verdict on a, b and 2 more: 8 more trials, about 30 s", "first"),
        ("9 seeds would decide e: 20 more trials", "second"),
        ("f needs more annotators", ""),
    ]
    assert [duration(minutes) for minutes in (0.001, 5.6, 89.4, 90, 200)] == ["1 s", "6 min", "89 min", "2 h", "3 h"]
