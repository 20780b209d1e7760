"""Objectives of a sampler. None is computed from the test split, so that no search can see test scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean

from tal_search.plan.cells import Trial
from tal_search.trial.trial_types import TrialResult, objective


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One finished trial or repeat as a sampler sees it; the fields are the objectives that a study may name.

    mAP: fraction, on held-out training videos; annotation_seconds: per minute of labelled video;
    annotation_total: seconds over the training set; training_seconds: of the fits, without scoring, so that it does not
    depend on the test split.
    """

    mAP: float
    annotation_seconds: float
    annotation_total: float
    parameters: float
    training_seconds: float


def observe(trial: Trial, result: TrialResult) -> Observation:
    """The objectives of a finished trial. Raises ValueError if no videos were held out."""
    if result.holdout_mAP is None:
        raise ValueError(f"trial {trial.id} has no held-out score, and a sampler never reads test scores")
    return Observation(
        mAP=objective(result),
        annotation_seconds=trial.annotation_seconds,
        annotation_total=math.nan if trial.annotation_total is None else trial.annotation_total,
        parameters=float(result.parameters),
        training_seconds=result.seconds,
    )


def of_repeats(trials: Sequence[Trial], results: Mapping[str, TrialResult]) -> list[Observation]:
    """One observation per repeat; results: of all trials, by id.

    The folds of a repeat are one: the mean of each over them, as in the tables, and the sum of the training times.
    Their held-out videos overlap, and test scores are for no sampler, so detections are not pooled.
    """
    repeats: dict[tuple[int, str], list[Observation]] = {}
    for trial in trials:
        repeats.setdefault(trial.repeat, []).append(observe(trial, results[trial.id]))
    return [_of_folds(folds) for folds in repeats.values()]


def _of_folds(folds: Sequence[Observation]) -> Observation:
    names = [field.name for field in fields(Observation) if field.name != "training_seconds"]
    means = {name: fmean(getattr(fold, name) for fold in folds) for name in names}
    return Observation(**means, training_seconds=sum(fold.training_seconds for fold in folds))


def values(objectives: Mapping[str, str], observations: Iterable[Observation]) -> list[float]:
    """Each objective's mean over the repeats of a cell, in the study's order."""
    repeats = list(observations)
    return [fmean(getattr(observation, name) for observation in repeats) for name in objectives]
