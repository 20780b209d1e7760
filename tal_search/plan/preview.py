"""What running a study would mean, without running anything."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tal_search.plan.plan import Plan
from tal_search.study import ResourceSettings
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec

RECORDS_READ = 200  # finished trials an estimate is made from
Kind = tuple[str, str, int]  # method, data and T: trials that have them in common take about as long an epoch


class Preview(NamedTuple):
    """Counts of a planned study.

    trials = cells × repeats, of which `cached` are answered by what is on disk, `inference_only` by scoring the kept
    activations of finished fits, and the rest by training `to_train` of the `groups` (a group is the cells and repeats
    that share one fit). seconds: of training, None where no finished trial tells how long one takes.
    """

    cells: int
    repeats: int
    trials: int
    cached: int
    inference_only: int
    groups: int
    to_train: int
    seconds: float | None


def preview(plan: Plan) -> Preview:
    """How much of a planned study is done already, and how long the rest should take."""
    results = {spec.key: TrialFolder.of(plan.study.runs, spec.key).results() for spec in plan.fits}
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
    )


def sampler_sentence(plan: Plan) -> str:
    """What a sampler may do; how far it has come is in the record, which is not opened for a preview."""
    study = plan.study
    budget = [f"{study.budget.trials} trials in all"] if study.budget.trials is not None else []
    budget += [f"{study.budget.minutes:g} minutes a run"] if study.budget.minutes is not None else []
    seconds = None
    if study.budget.trials is not None:
        centre = plan.trial(plan.centre_cell, *plan.repeats[0]).spec
        seconds = training_seconds(plan, [centre] * study.budget.trials)
    time = "unknown until a first trial is recorded" if seconds is None else f"{seconds / 60:.1f} min for all of them"
    return (
        f"{study.name}: {study.search.sampler.name} proposes cells of {len(plan.repeats)} trials (seeds x annotators) "
        f"over {', '.join(study.search.space)}; budget: {' and '.join(budget)}; estimated time: {time}"
    )


def training_seconds(plan: Plan, wanted: Sequence[TrialSpec]) -> float | None:
    """Estimated wall-clock of fits, from recorded trials of their methods; None where a method has none."""
    if not wanted:
        return 0.0
    resources, recorded = plan.study.resources, seconds_per_epoch(plan.study.runs)
    epochs: Counter[Kind] = Counter()
    for spec in wanted:
        epochs[kind_of(spec)] += spec.hyperparameters.get("epochs", 1)
    if not epochs.keys() <= recorded.keys():
        return None
    return sum(number * recorded[kind] for kind, number in epochs.items()) / min(lanes(resources), len(wanted))


def kind_of(spec: TrialSpec) -> Kind:
    """See `Kind`."""
    return spec.method, spec.dataset.fingerprint, spec.dataset.snippets


def lanes(resources: ResourceSettings) -> int:
    """Trials at once on this machine, as far as its processors tell."""
    if resources.backend == "inline":
        return 1
    return resources.concurrent_trials or max(1, int(_processors() / resources.cpus_per_trial))


def seconds_per_epoch(runs: Path) -> dict[Kind, float]:
    """Seconds an epoch, scoring included, by kind: the median of the newest finished trials.

    A median, because the first fit of a process also compiles and imports.
    """
    folders = runs / "trials"
    results = folders.glob("*/result.json") if folders.is_dir() else []
    found: dict[Kind, list[float]] = {}
    for path in sorted(results, key=lambda path: path.stat().st_mtime, reverse=True)[:RECORDS_READ]:
        try:
            result = json.loads(path.read_text())["result"]
            spec = json.loads(path.with_name("spec.json").read_text())
            kind = spec["method"], spec["dataset"]["fingerprint"], spec["dataset"]["snippets"]
            seconds = float(result["seconds"]) + float(result.get("scoring_seconds", 0.0))
            found.setdefault(kind, []).append(seconds / spec["hyperparameters"].get("epochs", 1))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a folder half written or of another version tells nothing
    return {kind: median(seconds) for kind, seconds in found.items()}


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
