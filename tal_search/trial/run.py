"""Runs one trial, from its specification to its scores: a generator of epoch reports, which the caller may close."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tal_search.data.find import load
from tal_search.data.label_budget import training_rows
from tal_search.data.splits import restrict
from tal_search.data.truth.annotations import write_detections
from tal_search.data.truth.truth_arrays import save_truth
from tal_search.files.atomic import write_atomically, write_json
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.methods.base import ActivationMethod
from tal_search.metrics.average_precision import score
from tal_search.trial.checkpoint import clear_progress, load_progress, save_progress, save_weights
from tal_search.trial.evaluation_set import Evaluation, Scored, joined_detections
from tal_search.trial.final_files import TRUTH
from tal_search.trial.folder import TrialFolder
from tal_search.trial.loop import Fit, choose_device, fit_of
from tal_search.trial.rescore import score_settings
from tal_search.trial.silence import about_training, require_convergence, silence
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec
from tal_search.types import Dataset, Detections, DetectionScores, criterion


def run_trial(
    spec: TrialSpec,
    folder: TrialFolder,
    *,
    device: str = "auto",
    checkpoint_every_seconds: float = 20.0,
    shared: Path | None = None,
) -> Iterator[EpochReport | str | None]:
    """Fit, evaluate and write the trial's folder, yielding a report after every epoch that this call trains.

    Resumes from the folder's last checkpoint; closing the generator saves one. The result is written last, and a folder
    with a result is not fitted again. Then every inference setting of `spec.settings` that the folder lacks is scored.
    Besides reports it yields messages for the user (such as a damaged checkpoint) and None while it scores settings.
    shared: a folder where features are kept for all trials on this machine. The caller sets torch's threads.
    """
    if folder.result() is None:
        folder.write_spec(spec)
        notes: list[str] = []
        dataset = load(spec.dataset, spec.annotator, spec.supervision, shared, notes)
        yield from notes
        yield from _fit(spec, folder, dataset, device, checkpoint_every_seconds)
    yield from score_settings(spec, folder)


def _fit(
    spec: TrialSpec, folder: TrialFolder, dataset: Dataset, device: str, checkpoint_every_seconds: float
) -> Iterator[EpochReport | str]:
    progress, notes = Progress.open(spec, folder, dataset, device)
    yield from notes
    saved_at = time.monotonic()
    try:
        while progress.epoch < progress.epochs:
            report = progress.next_epoch()
            if time.monotonic() - saved_at > checkpoint_every_seconds:
                progress.save()
                saved_at = time.monotonic()
            yield report
    except GeneratorExit:
        progress.save()
        raise
    progress.finish()


@dataclass
class Progress:
    """A trial in progress. `reports` holds every epoch since the first, also those of earlier runs.

    `watched` is the split that epochs are scored on: held-out training videos if the protocol selects by them (the test
    split is then scored once, after selection), else the test split.
    """

    spec: TrialSpec
    folder: TrialFolder
    fit: Fit
    classes: tuple[str, ...]
    watched: Evaluation
    test: Evaluation
    reports: list[EpochReport] = field(default_factory=list)
    best_holdout: dict[str, torch.Tensor] | None = None
    last: tuple[int, Scored] | None = None  # the newest epoch scored on the watched split, with its scores

    @classmethod
    def open(cls, spec: TrialSpec, folder: TrialFolder, dataset: Dataset, device: str) -> tuple[Progress, list[str]]:
        """The trial as saved in its folder, or at its start; and messages for the user about its checkpoints."""
        train, sampling, snippets = dataset.train, spec.dataset.sampled, spec.dataset.snippets
        at_test = sampling.test if sampling.stored else None
        watched = test = Evaluation("test", dataset.test, dataset.test_truth, None, at_test, snippets)
        rows, held = training_rows(spec.dataset, spec.annotator, spec.protocol, train.videos, train.labels)
        if len(held):
            truth = restrict(dataset.train_truth, tuple(train.videos[row] for row in held))
            watched = Evaluation("holdout", train, truth, held, at_test, snippets)
        progress = cls(spec, folder, fit_of(spec, dataset, rows, choose_device(device)), dataset.classes, watched, test)
        return progress, progress._load()

    @property
    def epoch(self) -> int:
        return len(self.reports)

    @property
    def epochs(self) -> int:
        return int(self.spec.hyperparameters["epochs"])

    def next_epoch(self) -> EpochReport:
        """Train one epoch, and evaluate it if the protocol asks for it (always the last)."""
        started, number = time.monotonic(), self.epoch + 1
        losses = self.fit.epoch(number)
        trained = time.monotonic()
        scores: dict[str, float] = {}
        if number % self.spec.protocol["evaluate_every"] == 0 or number == self.epochs:
            scored = self._evaluate(self.watched)
            self.last = number, scored
            scores = {
                f"{self.watched.name}/mAP/{tiou:g}": value
                for tiou, value in zip(scored.scores.tiou, scored.scores.mAP, strict=True)
            }
            scores[f"{self.watched.name}/mAP/average"] = scored.scores.average_mAP
        report = EpochReport(
            epoch=number, epochs=self.epochs, seconds=trained - started, losses=losses, scores=scores,
            scoring_seconds=time.monotonic() - trained,
        )  # fmt: skip
        self.reports.append(report)
        if "holdout/mAP/average" in scores and self._best().epoch == number:
            self.best_holdout = self.fit.evaluated_weights()
        return report

    def save(self) -> None:
        reports = [dict(vars(report)) for report in self.reports]
        state = {**self.fit.state(), "reports": reports, "best_holdout": self.best_holdout}
        save_progress(self.folder.path, self.epoch, state)

    def _load(self) -> list[str]:
        state, notes = load_progress(self.folder.path)
        if state is not None:
            self.fit.load_state(state)
            self.reports = [EpochReport(**report) for report in state["reports"]]
            self.best_holdout = state["best_holdout"]
        return notes

    def finish(self) -> None:
        """Score the selected epoch and write all files of a finished trial."""
        started = time.monotonic()
        self._keep(started, *self._outcome())

    def _outcome(self) -> tuple[EpochReport, Scored, Scored]:
        """The selected epoch, and the scores of the watched and the test split at its weights, which end the fit."""
        selected = self.reports[-1] if self.best_holdout is None else self._best()
        self.fit.end(self.fit.evaluated_weights() if self.best_holdout is None else self.best_holdout)
        known = self.last is not None and self.last[0] == selected.epoch
        watched = self.last[1] if known and self.last is not None else self._evaluate(self.watched)
        return selected, watched, watched if self.watched is self.test else self._evaluate(self.test)

    def _keep(self, started: float, selected: EpochReport, watched: Scored, tested: Scored) -> None:
        """Write all files of a finished trial, the result last."""
        write_detections(self.folder.detections, tested.detections)
        save_weights(self.folder.checkpoint, selected.epoch, self.fit.weights())
        if tested.activations is not None:
            write_atomically(self.folder.cas, tested.activations.save)
        if watched.activations is not None and watched is not tested:
            write_atomically(self.folder.holdout_cas, watched.activations.save)
        write_json(self.folder.scores, tested.scores.to_json())
        if self.spec.dataset.folds:
            write_atomically(self.folder.path / TRUTH, partial(save_truth, self.test.truth))
        self.folder.write_epochs(self.reports)
        scoring_seconds = sum(report.scoring_seconds for report in self.reports) + time.monotonic() - started
        result = self._result(selected, tested.scores, watched.scores, scoring_seconds)
        self.folder.write_result(replace(result, note=self._note(tested)))
        clear_progress(self.folder.path)

    def _result(
        self, selected: EpochReport, tested: DetectionScores, watched: DetectionScores, scoring_seconds: float
    ) -> TrialResult:
        leaky = self._best() if self.watched is self.test else None
        return TrialResult(
            key=self.spec.key,
            selected_epoch=selected.epoch,
            tiou=tested.tiou,
            mAP=tested.mAP,
            holdout_mAP=None if leaky else watched.mAP,
            best_on_test_epoch=leaky.epoch if leaky else None,
            best_on_test_mAP=leaky.scores[self._criterion] if leaky else None,
            detections=tested.detections,
            parameters=sum(tensor.numel() for tensor in self.fit.method.network.parameters()),
            seconds=sum(report.seconds for report in self.reports),
            scoring_seconds=scoring_seconds,
        )

    def _note(self, tested: Scored) -> str:
        """See `TrialResult.note`."""
        labels_NC = self.fit.data.labels[self.fit.rows].cpu().numpy()
        inference, found = Inference(**self.spec.inference), tested.detections
        why = silence(self.test.truth, found, tested.activations, inference, labels_NC)
        nothing = not len(found.score)
        return f"{why}; {about_training(self.reports, labels_NC, self.spec.hyperparameters)}" if nothing else why

    @property
    def _criterion(self) -> str:
        return f"{self.watched.name}/mAP/{criterion(self.spec.protocol['tiou'])}"

    def _best(self) -> EpochReport:
        """The evaluated epoch with the highest criterion; the first of equal ones."""
        name = self._criterion
        return max((report for report in self.reports if name in report.scores), key=lambda report: report.scores[name])

    def _evaluate(self, evaluation: Evaluation) -> Scored:
        with self.fit.averaged():
            detections, activations = self._localized(evaluation)
        protocol = self.spec.protocol
        scores = score(
            evaluation.truth, detections, tuple(protocol["tiou"]),
            protocol=protocol["evaluation"], subset=evaluation.name,
        )  # fmt: skip
        return Scored(detections, activations, scores)

    def _localized(self, evaluation: Evaluation) -> tuple[Detections, Activations | None]:
        method, inference = self.fit.method, Inference(**self.spec.inference)
        activations: Activations | None = None
        rate = self.spec.hyperparameters.get("learning_rate")
        if isinstance(method, ActivationMethod):
            # Rounded as on disk, so that scoring the kept activations again gives the same numbers.
            parts = (method.activations(videos).rounded() for videos in evaluation.batches())
            activations = Activations.joined(parts, evaluation.names)
            count = len(evaluation.names)
            require_convergence(activations.broken(), count, "videos have activations", self.epoch, rate)
            detections = localize(activations, self.classes, inference)
        else:
            found = (method.detect(videos, self.classes, inference) for videos in evaluation.batches())
            detections = joined_detections(found, evaluation.names, self.classes)
            broken = int((~np.isfinite(detections.score)).sum())
            require_convergence(broken, len(detections.score), "detections have scores", self.epoch, rate)
        return detections, activations
