"""Checks the data of a plan: what a run does before it trains, and a preview instead of training."""

from __future__ import annotations

import math
from pathlib import Path

from tal_search.data.features.cache import CONVERTED, open_cache
from tal_search.data.load import check
from tal_search.errors import InputError, Problems
from tal_search.plan.budget_notes import budget_notes
from tal_search.plan.plan import Plan
from tal_search.plan.training_videos import training_videos
from tal_search.study.supervision.rules import alias_note
from tal_search.trial.folder import TrialFolder


def check_data(plan: Plan) -> list[str]:
    """Notes for the user on the data and budgets of a plan with fits left to train; without any, nothing is read.

    Raises InputError with every problem of features, ground truth and clicks, of the split that the protocol holds out,
    and of lengths that converted features do not have.
    """
    if not left_to_train(plan):
        return alias_note(plan.study)
    problems, notes = Problems(), list[str]()
    with problems.gather():
        notes = check(plan.dataset, plan.annotators, plan.clicks)
    with problems.gather():
        training_videos(plan.dataset, plan.protocol)
    if plan.dataset.layout.get("name") == CONVERTED:
        for snippets in sorted({case.snippets for case in plan.cases.values()}):
            with problems.gather():
                open_cache(Path(plan.dataset.root), snippets, checked=False)
    if problems:
        raise InputError(dict.fromkeys(problems))
    return [*budget_notes(plan), *notes]


def left_to_train(plan: Plan) -> float:
    """The number of fits without a result; infinite for a sampler."""
    if plan.study.search.plan == "sampler":
        return math.inf
    return sum(TrialFolder.of(plan.study.runs, spec.key).result() is None for spec in plan.fits)
