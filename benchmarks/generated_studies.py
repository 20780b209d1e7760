"""Synthetic studies for benchmarks: a record with many results, and one fit with the files the views read."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from tal_search.data.load import load_truths
from tal_search.data.truth.annotations import write_detections
from tal_search.files.atomic import write_atomically
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tal_search.plan.cells import Trial
from tal_search.plan.compatibility import fixed_settings
from tal_search.plan.plan import Plan, resolve
from tal_search.record.description import study_metadata
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tal_search.study import load_study
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialResult
from tal_search.types import Annotations

VALUES, SEEDS, BATCH = 10, 10, 5000
EPOCHS = 40
FPS, NEIGHBOURS = 30, 3


def make_record(runs: Path, trials: int) -> Plan:
    """A study with this many finished trials with invented results; those at the centre have epochs."""
    axes: dict[str, list[float]] = {
        "kernel_size": [1 + 2 * index for index in range(VALUES)],
        "lambda_sep": [index / 4 for index in range(VALUES)],
        "beta_aff": [index / 10 for index in range(max(1, trials // VALUES**2 // SEEDS))],
    }
    study = load_study("thumos_single", [f"runs={runs}", "dataset.source=simulated", "tracking.mlflow=false"])
    plan = resolve(study)
    plan = _as_grid(plan, axes)
    finished: list[tuple[Trial, TrialResult]] = []
    distributions = {axis: distribution_of(values) for axis, values in axes.items()}
    folder = runs / plan.study.name
    folder.mkdir(parents=True)
    with Record.open(
        folder / "record.db", plan.study.name, distributions, fixed_settings(plan), folder, study_metadata(plan)
    ) as record:
        for number in range(trials):
            seed, cell = number % SEEDS, number // SEEDS
            indices = (cell % VALUES, cell // VALUES % VALUES, cell // VALUES**2)
            values: dict[str, object] = {axis: axes[axis][index] for axis, index in zip(axes, indices, strict=True)}
            trial = plan.trial(values, seed, "A1")
            finished.append((trial, _result(trial.spec.key, list(plan.protocol["tiou"]), number)))
            if values == plan.centre_cell:
                _write_curve(TrialFolder.of(runs, trial.spec.key), number)
            if len(finished) == BATCH or number == trials - 1:
                record.finish_all(finished, cached=False)
                finished = []
    return plan


def _as_grid(plan: Plan, axes: dict[str, list[float]]) -> Plan:
    search = replace(plan.study.search, plan="grid", axes={axis: tuple(values) for axis, values in axes.items()})
    centre: dict[str, object] = {axis: values[len(values) // 2] for axis, values in axes.items()}
    return replace(plan, study=replace(plan.study, search=search), centre_cell=centre, trials=())


def _write_curve(folder: TrialFolder, number: int) -> None:
    folder.path.mkdir(parents=True)
    mAP = [0.4 * (1 - math.exp(-epoch / (8 + number % SEEDS))) for epoch in range(1, EPOCHS + 1)]
    folder.write_epochs([
        EpochReport(
            epoch=epoch, epochs=EPOCHS, seconds=1.0, losses={"total": 1 / epoch}, scores={"test/mAP/0.5": score}
        )
        for epoch, score in enumerate(mAP, start=1)
    ])  # fmt: skip


def _result(key: str, tiou: list[float], number: int) -> TrialResult:
    high = 0.3 + 0.1 * ((number * 7919) % 1000) / 1000
    mAP = tuple(high * (1 - threshold) for threshold in tiou)
    return TrialResult(
        key=key, selected_epoch=40, tiou=tuple(tiou), mAP=mAP, holdout_mAP=None, best_on_test_epoch=40,
        best_on_test_mAP=high / 2, detections=9000, parameters=100_000, seconds=60.0,
    )  # fmt: skip


def make_fit(runs: Path, snippets: int) -> Plan:
    """A study of one trial on 210 test videos, whose folder has the files that the views read."""
    study = load_study(
        "thumos_single",
        [f"runs={runs}", "dataset.source=simulated", f"dataset.snippets={snippets}", "tracking.mlflow=false"],
    )
    plan = resolve(study)
    trial = plan.trial(plan.centre_cell, 0, "A1")
    truth = load_truths(trial.spec.dataset)[1]
    kept = activations_around(truth, snippets).rounded()
    detections = localize(kept, truth.classes, Inference(**trial.spec.inference))
    scores = score(truth, detections, tuple(plan.protocol["tiou"]), subset="test")
    result = TrialResult(
        key=trial.spec.key, selected_epoch=1, tiou=scores.tiou, mAP=scores.mAP, holdout_mAP=None,
        best_on_test_epoch=None, best_on_test_mAP=None, detections=scores.detections, parameters=1, seconds=1.0,
    )  # fmt: skip
    folder = TrialFolder.of(runs, trial.spec.key)
    folder.path.mkdir(parents=True)
    folder.write_spec(trial.spec)
    write_detections(folder.detections, detections)
    write_atomically(folder.cas, kept.save)
    folder.write_result(result)
    home = runs / plan.study.name
    home.mkdir(parents=True)
    with Record.open(
        home / "record.db", plan.study.name, {}, fixed_settings(plan), home, study_metadata(plan)
    ) as record:
        record.finish_all([(trial, result)], cached=False)
    return plan


def activations_around(truth: Annotations, snippets: int) -> Activations:
    """Smooth noise, raised within instances, and video scores that are high for the classes present."""
    random = np.random.default_rng(0)
    videos, classes = len(truth.videos), len(truth.classes)
    cas = np.cumsum(random.normal(0, 0.08, (videos, classes + 1, snippets)), axis=2) - 2
    attention = random.normal(2, 0.3, (videos, snippets))
    scores = np.full((videos, classes + 1), 0.01)
    centre = (np.arange(snippets) + 0.5) / snippets
    for video, label, (start, end) in zip(truth.video, truth.label, truth.segment, strict=True):
        seconds = centre * truth.duration[video]
        near = np.exp(-(((seconds - (start + end) / 2) / (0.6 * (end - start))) ** 4))
        cas[video, label] += near * random.uniform(1, 5)
        attention[video] += near * random.uniform(1, 5)
        scores[video, label] = 0.4
    return Activations(
        videos=truth.videos, cas=cas, attention=attention, scores=scores, duration=truth.duration,
        frames=np.round(truth.duration * FPS).astype(np.int64),
        affinity=random.uniform(-1, 1, (videos, NEIGHBOURS, snippets)),
    )  # fmt: skip
