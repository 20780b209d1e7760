"""Recommended next runs: numbers of seeds that would decide open verdicts of a study, and how long they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.contrasts import LEAST_REPEATS
from tal_search.text.commands import command_line, repeated

MOST_STEPS = 3  # recommendations at a time
MOST_NAMED = 3  # names that a step's sentence lists
MOST_SEEDS = 30  # per recommended command; more would be a new study
SEEDS = "search.repeats.seeds"


class NextRun(NamedTuple):
    """A command that would decide `decides` (names of axes or cases), if the estimated differences stay.

    With LEAST_REPEATS seeds they get intervals, if they have none yet.

    seeds: total number; trials: new ones; minutes: to train and score them at the speed of the study's last run, NaN if
    that is unknown.
    """

    seeds: int
    decides: tuple[str, ...]
    trials: int
    minutes: float
    command: str


def duration(minutes: float) -> str:
    """A duration in words: "40 s", "6 min", "3 h"."""
    if minutes < 1:
        return f"{max(1, round(60 * minutes))} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.0f} h"


def next_steps(runs: tuple[NextRun, ...], needs: Mapping[str, str]) -> list[tuple[str, str]]:
    """Sentences with their commands, "" if no command would decide them. needs: words by undecided name."""
    steps = []
    for step in runs:
        time = "" if math.isnan(step.minutes) else f", about {duration(step.minutes)}"
        few = step.seeds <= LEAST_REPEATS  # no interval yet, so that the seeds needed are unknown
        does = "are the least for a verdict on" if few else "would decide"
        words = f"{step.seeds} seeds {does} {_listed(step.decides)}: {step.trials} more trials{time}"
        steps.append((words, step.command))
    rest = [name for name in needs if not any(name in step.decides for step in runs)]
    return [*steps, *((f"{name} needs {needs[name]}", "") for name in rest)]


def _listed(names: tuple[str, ...]) -> str:
    """The names in words, at most MOST_NAMED of them."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMED - 1])} and {len(names) - MOST_NAMED + 1} more"


def next_runs(data: StudyFrame, wanted: Mapping[str, float]) -> tuple[NextRun, ...]:
    """Recommendations, the cheapest first. wanted: seeds by undecided name, infinite if no number would decide it."""
    steps = sorted({int(seeds) for seeds in wanted.values() if seeds <= MOST_SEEDS})
    return tuple(_step(data, seeds, wanted) for seeds in steps[:MOST_STEPS])


def _step(data: StudyFrame, seeds: int, wanted: Mapping[str, float]) -> NextRun:
    trials = data.trials
    have = sorted({int(seed) for seed in trials["seed"]})
    first = have[-1] + 1 if have else 0
    missing = max(0, seeds - len(have))
    each = 1 / max(1, len(have))
    seconds = (data.done["seconds"] + data.done["scoring_seconds"]).mean() if len(data.done) else math.nan
    fits = missing * trials["key"].nunique() * each
    return NextRun(
        seeds=seeds,
        decides=tuple(name for name, enough in wanted.items() if enough <= seeds),
        trials=round(missing * len(data.every) * each),
        minutes=float(fits * seconds / max(1, data.lanes) / 60),
        command=command(data, f"{SEEDS}=[{','.join(map(str, [*have, *range(first, first + missing)]))}]"),
    )


def run_command(data: StudyFrame) -> str:
    """The command that runs the study again, or goes on with it: its last command line."""
    return command_line("run", *repeated(data.name, data.runs, data.overrides))


def command(data: StudyFrame, *overrides: str) -> str:
    """The command of the study's last run, with these overrides replacing those of the same keys."""
    words = repeated(data.name, data.runs, data.overrides, *overrides)
    return command_line("-m", "tal_search.run", *words, program="python")
