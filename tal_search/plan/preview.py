"""Preview of a study: how many trials it has, how many are done, and an estimate of the remaining time."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tal_search.files.checked import Unreadable
from tal_search.plan.plan import Plan
from tal_search.study import ResourceSettings
from tal_search.trial.folder import TrialFolder
from tal_search.trial.mend import mend
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import VIDEOS, canonical_json

FEW_VIDEOS = 0.05  # least share of videos that the estimated time of an epoch depends on
RECORDS_READ = 200  # newest finished trials that the estimate is made from
Kind = tuple[str, str, int, str]  # method, data, T, sampling: trials that share them take about as long per epoch


class Preview(NamedTuple):
    """Counts of a planned study.

    trials = cells × repeats × folds. `cached` of them have results on disk, `inference_only` need only the stored
    activations of finished fits to be scored, and the rest need training: `to_train` of the `groups` (a group is the
    cells and repeats that share one fit). seconds: of training, None without a finished trial to estimate it from.
    damaged: a sentence for each damaged file of the finished trials.
    """

    cells: int
    repeats: int
    trials: int
    cached: int
    inference_only: int
    groups: int
    to_train: int
    seconds: float | None
    damaged: tuple[str, ...] = ()


def preview(plan: Plan) -> Preview:
    """Counts of a planned study, and the estimated time of its remaining trials."""
    folders = {spec.key: TrialFolder.of(plan.study.runs, spec.key) for spec in plan.fits}
    results = {key: folder.results() for key, folder in folders.items()}
    cached = sum(trial.setting in results[trial.spec.key] for trial in plan.trials)
    scored_only = sum(bool(results[t.spec.key]) and t.setting not in results[t.spec.key] for t in plan.trials)
    to_train = [spec for spec in plan.fits if not results[spec.key]]
    return Preview(
        cells=len(plan.cells),
        repeats=len(plan.repeats),
        trials=len(plan.trials),
        cached=cached,
        inference_only=scored_only,
        groups=len(plan.fits),
        to_train=len(to_train),
        seconds=training_seconds(plan, to_train),
        damaged=tuple(itertools.chain(*(mend(folders[spec.key], spec, dry=True) for spec in plan.fits))),
    )


def sampler_sentence(plan: Plan) -> str:
    """The preview of a study with a sampler; its progress is in the record, which a preview does not open."""
    study = plan.study
    budget = [f"{study.budget.trials} trials in all"] if study.budget.trials is not None else []
    budget += [f"{study.budget.minutes:g} minutes a run"] if study.budget.minutes is not None else []
    seconds = None
    if study.budget.trials is not None:
        centre = plan.trial(plan.centre_cell, *plan.repeats[0]).spec
        seconds = training_seconds(plan, [centre] * study.budget.trials)
    time = "unknown until a first trial is recorded" if seconds is None else f"{seconds / 60:.1f} min for all of them"
    return (
        f"{study.name}: {study.search.sampler.name} proposes cells of {plan.trials_per_cell} trials (seeds x annotators"
        f"{' x folds' if plan.dataset.folds else ''}) "
        f"over {', '.join(study.search.space)}; budget: {' and '.join(budget)}; estimated time: {time}"
    )


def training_seconds(plan: Plan, wanted: Sequence[TrialSpec]) -> float | None:
    """Estimated wall-clock time of fits, from finished trials of their kinds; None where a kind has none."""
    if not wanted:
        return 0.0
    resources, recorded = plan.study.resources, seconds_per_epoch(plan.study.runs)
    epochs: dict[Kind, float] = defaultdict(float)
    for spec in wanted:
        epochs[kind_of(spec)] += passes(spec)
    if not epochs.keys() <= recorded.keys():
        return None
    return sum(number * recorded[kind] for kind, number in epochs.items()) / min(lanes(resources), len(wanted))


def kind_of(spec: TrialSpec) -> Kind:
    """The kind of a trial, see `Kind`."""
    return spec.method, spec.dataset.fingerprint, spec.dataset.snippets, canonical_json(spec.dataset.sampling)


def passes(spec: TrialSpec) -> float:
    """Epochs of a fit, as passes over all training videos; one over a budget of few videos counts FEW_VIDEOS."""
    return float(spec.hyperparameters.get("epochs", 1)) * max(FEW_VIDEOS, spec.dataset.share(VIDEOS))


def lanes(resources: ResourceSettings) -> int:
    """Number of concurrent trials on this machine, by its processors unless the study sets it."""
    if resources.backend == "inline":
        return 1
    return resources.concurrent_trials or max(1, int(_processors() / resources.cpus_per_trial))


def seconds_per_epoch(runs: Path) -> dict[Kind, float]:
    """Median seconds per pass over all training videos of the newest finished trials by kind, scoring included.

    The median, because the first fit of a process also compiles and imports.
    """
    folders = runs / "trials"
    results = folders.glob("*/result.json") if folders.is_dir() else []
    samples: dict[Kind, list[float]] = {}
    for path in sorted(results, key=lambda path: path.stat().st_mtime, reverse=True)[:RECORDS_READ]:
        folder = TrialFolder(path.parent)
        try:
            spec, result = folder.spec(), folder.result()
        except Unreadable:  # perhaps of another study
            continue
        if spec is not None and result is not None:
            samples.setdefault(kind_of(spec), []).append(result.wall_seconds / passes(spec))
    return {kind: median(seconds) for kind, seconds in samples.items()}


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
