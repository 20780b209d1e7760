"""`tal_search.run_study`: trains the missing fits of a study from a notebook or script."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.api.imports import quiet_optuna
from tal_search.api.loading import load
from tal_search.api.study_results import StudyResults
from tal_search.data.folds import fold_words
from tal_search.text.printable import shown_line

if TYPE_CHECKING:
    from tal_search.execution.running import Outcome

MOST_FAILURES = 5  # failed trials with a warning each; the others are counted


def run_study(
    study: str, overrides: Sequence[str] = (), *, runs: str | PathLike[str] | None = None, progress: bool = True
) -> StudyResults:
    """Train the missing fits of a study, as `tal-search run study=NAME` does, and return its results.

    study: the name of a file in `studies/`. overrides: as on the command line, e.g. ["search.repeats.seeds=[0,1,2]",
    "backend=inline"]. runs: the folder of the record and the trials; by default the study's, "runs". The same call
    again continues. progress: whether to show it, in a notebook as one updated line, elsewhere as a line per fit on
    stderr.

    A failed trial gives a RuntimeWarning with the reason; the results of the others are returned. Raises InputError
    with all problems of the study, the overrides and the data, before anything is written; KeyboardInterrupt after
    saving running trials. A second interrupt leaves these at their last checkpoint.
    """
    quiet_optuna()
    from tal_search.api.progress import shown_progress
    from tal_search.execution.driver import run_study as run
    from tal_search.execution.interrupts import keeps_process
    from tal_search.plan.plan import resolve
    from tal_search.study import load_study

    asked = load_study(study, list(overrides))
    if runs is not None:
        kept = [override for override in asked.overrides if not override.startswith("runs=")]
        asked = dataclasses.replace(asked, runs=Path(runs), overrides=(*kept, f"runs={runs}"))
    plan = resolve(asked)
    with shown_progress(plan, quiet=not progress) as shown, keeps_process():
        shown.say(f"Data: {plan.dataset.description}")
        outcome = run(plan, on_event=shown.add, say=shown.say, on_phase=shown.phase)
        for message in outcome.messages:
            shown.say(message)
        shown.phase("")
    if outcome.interrupted is not None:
        finished = f"tal_search.load({plan.study.name!r}, {str(plan.study.runs)!r})"
        raise KeyboardInterrupt(f"interrupted; the same call continues; {finished} returns the finished trials")
    _warn(outcome)
    return load(plan.study.name, plan.study.runs)


def _warn(outcome: Outcome) -> None:
    """Warn of failed trials, once per fit, and of trials that the budget left out."""
    specs = {outcome.trials[name].spec.key: (outcome.trials[name].spec, why) for name, why in outcome.failed.items()}
    for spec, reason in list(specs.values())[:MOST_FAILURES]:
        cell = ", ".join(f"{axis}={value}" for axis, value in spec.cell.items()) or "centre"
        repeat = f"seed {spec.seed}, annotator {spec.annotator}{fold_words(spec.dataset)}"
        _warn_user(f"trial {spec.key} failed ({cell}, {repeat}): {reason}")
    if len(specs) > MOST_FAILURES:
        _warn_user(f"{len(specs) - MOST_FAILURES} more trials failed; the column `reason` of `trials` has the reasons")
    if outcome.left and not outcome.failed:
        _warn_user(f"the budget is spent: {outcome.left} trials were not run; the same call continues")


def _warn_user(sentence: str) -> None:
    warnings.warn(shown_line(sentence), RuntimeWarning, stacklevel=4)  # at the caller of `run_study`
