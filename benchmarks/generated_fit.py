"""A finished fit that nobody trained: activations of the kind a fit keeps, around the instances of simulated videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tal_search.data.annotations import write_detections
from tal_search.data.loading import load_truths
from tal_search.localization import Activations, Inference, localize
from tal_search.metrics.average_precision import score
from tal_search.search.about import about
from tal_search.search.plan import Plan, resolve
from tal_search.search.record import Record
from tal_search.search.settings_of import settings_of
from tal_search.study import load_study
from tal_search.trial_folder import TrialFolder, write_atomically
from tal_search.types import Annotations, TrialResult

FPS, NEIGHBOURS = 30, 3


def make_fit(runs: Path, snippets: int) -> Plan:
    """A study of one such trial on 210 test videos; the folder has what the views read of it."""
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
    with Record.open(home / "record.db", plan.study.name, {}, settings_of(plan), home, about(plan)) as record:
        record.finish_all([(trial, result)], cached=False)
    return plan


def activations_around(truth: Annotations, snippets: int) -> Activations:
    """Slow noise, higher within instances; video scores that name the classes which are there."""
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
