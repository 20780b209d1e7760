"""Notes on the label budgets of a plan: the older name, classes that lose every video, and costs that are unknown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from tal_search.data.clicks.annotation_rates import training_truth
from tal_search.data.label_budget import training_rows
from tal_search.data.truth.labels import named
from tal_search.data.truth.truths import present
from tal_search.errors import InputError
from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.plan.plan_problems import ends
from tal_search.study.supervision.rules import alias_note
from tal_search.types import SHARE_OF, SUPERVISION, VIDEOS, Ints


def budget_notes(plan: Plan) -> list[str]:
    """A sentence for each thing that a user should know of the budgets before anything is trained."""
    trials = list(_trials(plan))
    notes = [*alias_note(plan.study), *_unread(plan, trials)]
    with suppress(InputError):  # the check of the data reports it
        notes += [*_lost_classes(trials), *_unknown_cost(trials)]
    return notes


def _trials(plan: Plan) -> Iterator[Trial]:
    """The plan's trials; of a sampler's plan, which has none, those at the ends of each dimension."""
    yield from plan.trials
    if not plan.trials:
        cells = [plan.centre_cell, *({**plan.centre_cell, **cell} for cell in ends(plan.study))]
        seed = plan.study.search.repeats.seeds[0]
        yield from (plan.trial(cell, seed, annotator) for cell in cells for annotator in plan.annotators)


def _unread(plan: Plan, trials: list[Trial]) -> Iterator[str]:
    """Budgets of the study that change no trial, because its settings read no such annotation."""
    for name in SHARE_OF:
        share = getattr(plan.study.supervision, name)
        if share < 1 and not any(name in trial.spec.dataset.shares for trial in trials):
            yield f"{SUPERVISION}{name}={share:g} has no effect: with these settings no trial reads {SHARE_OF[name]}."


def _lost_classes(trials: list[Trial]) -> Iterator[str]:
    """By share of videos: the annotator whose draw leaves the most classes without any training video."""
    drawn = {(trial.spec.dataset.share(VIDEOS), trial.spec.annotator): trial for trial in trials}
    worst: dict[float, tuple[list[str], str]] = {}
    for (share, annotator), trial in sorted(drawn.items(), key=lambda item: item[0]):
        if share == 1:
            continue
        rows, every = _rows(trial), _rows(trial, whole=True)
        truth = training_truth(trial.spec.dataset)
        labels_NC = present(truth) > 0
        lost = np.flatnonzero(labels_NC[every].any(0) & ~labels_NC[rows].any(0))
        words = f"{SUPERVISION}{VIDEOS}={share:g} keeps {len(rows)} of {len(every)} training videos"
        if len(lost) > len(worst.get(share, ([], ""))[0]):
            worst[share] = [truth.classes[label] for label in lost], f"{words} (draw of {annotator})"
    for classes, words in worst.values():
        seen = f"{len(classes)} classes have none of them" if len(classes) > 1 else "a class has none of them"
        yield f"{words}; {seen} and cannot be learned: {named(classes)}."


def _rows(trial: Trial, *, whole: bool = False) -> Ints:
    """Rows of the videos that a trial trains on, or would without its budget of videos."""
    spec = trial.spec.dataset.without_budget() if whole else trial.spec.dataset
    truth = training_truth(spec)
    return training_rows(spec, trial.spec.annotator, trial.spec.protocol, truth.videos, present(truth))[0]


def _unknown_cost(trials: list[Trial]) -> Iterator[str]:
    if not trials or all(trial.annotation_total is not None for trial in trials):
        return
    truth = training_truth(trials[0].spec.dataset)
    lacking = [name for name, known in zip(truth.videos, np.isfinite(truth.duration), strict=True) if not known]
    if lacking:
        yield (
            "The annotation cost of the whole training set is unknown: the ground truth gives no duration of "
            f"{len(lacking)} of {len(truth.videos)} training videos ({named(lacking)}); add them there. Costs per "
            "minute then take THUMOS14's rates of clicks and instances."
        )
