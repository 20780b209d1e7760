"""One trial, from its specification to its scores: a generator of epoch reports; whoever iterates decides to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from tal_search.data.annotations import write_detections
from tal_search.data.dataset import load
from tal_search.data.splits import holdout_split, restrict
from tal_search.localization import Activations, Inference, localize
from tal_search.methods import Method, declaration
from tal_search.metrics.average_precision import score
from tal_search.training.checkpoint import clear_progress, load_progress, save_progress, save_weights
from tal_search.training.loop import Fit, choose_device
from tal_search.trial_folder import TrialFolder, write_atomically, write_json
from tal_search.types import (
    Annotations,
    Dataset,
    Detections,
    DetectionScores,
    EpochReport,
    TrialResult,
    TrialSpec,
    VideoSet,
)

SELECTION_TIOU = 0.5


def run_trial(
    spec: TrialSpec, folder: TrialFolder, *, device: str = "auto", checkpoint_every_seconds: float = 20.0
) -> Iterator[EpochReport]:
    """Fit, evaluate and write the trial's folder, yielding a report after every epoch that this call trained.

    Continues from the folder's last checkpoint. Closing the generator saves one. The result is written last; a folder
    that has one yields nothing. The caller sets torch's number of threads.
    """
    if folder.result() is not None:
        return
    folder.write_spec(spec)
    progress = Progress.open(spec, folder, load(spec.dataset, spec.annotator), device)
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


@dataclass(frozen=True)
class Evaluation:
    """Videos to localize and the truth to score them against."""

    name: str
    videos: VideoSet
    truth: Annotations


@dataclass
class Progress:
    """A trial under way. `reports` holds every epoch since the first, of earlier runs too."""

    spec: TrialSpec
    folder: TrialFolder
    fit: Fit
    classes: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    reports: list[EpochReport] = field(default_factory=list)
    best_holdout: dict[str, torch.Tensor] | None = None
    tested: tuple[int, Detections, Activations | None, DetectionScores] | None = None  # epoch and what it gave

    @classmethod
    def open(cls, spec: TrialSpec, folder: TrialFolder, dataset: Dataset, device: str) -> Progress:
        """The trial as its folder left it, or at its beginning."""
        train, evaluations = dataset.train, [Evaluation("test", dataset.test, dataset.test_truth)]
        if spec.protocol["selection"] == "holdout":
            kept, held = holdout_split(train.labels, spec.protocol["holdout_fraction"], spec.protocol["holdout_seed"])
            videos = train.subset(held)
            evaluations.append(Evaluation("holdout", videos, restrict(dataset.train_truth, videos.videos)))
            train = train.subset(kept)
        fit = Fit(build(spec, dataset), train, spec.seed, spec.precision, choose_device(device))
        progress = cls(spec, folder, fit, dataset.classes, tuple(evaluations))
        progress._load()
        return progress

    @property
    def epoch(self) -> int:
        return len(self.reports)

    @property
    def epochs(self) -> int:
        return int(self.spec.hyperparameters["epochs"])

    def next_epoch(self) -> EpochReport:
        """Train one epoch, and evaluate it where the protocol says so (the last always)."""
        started, number = time.monotonic(), self.epoch + 1
        losses = self.fit.epoch(number)
        scores: dict[str, float] = {}
        if number % self.spec.protocol["evaluate_every"] == 0 or number == self.epochs:
            for evaluation in self.evaluations:
                detections, activations = self._localize(evaluation.videos)
                found = self._score(evaluation, detections)
                if evaluation.name == "test":
                    self.tested = (number, detections, activations, found)
                scores |= {
                    f"{evaluation.name}/mAP/{t:g}": value for t, value in zip(found.tiou, found.mAP, strict=True)
                }
                scores[f"{evaluation.name}/mAP/average"] = found.average_mAP
        seconds = time.monotonic() - started
        report = EpochReport(epoch=number, epochs=self.epochs, seconds=seconds, losses=losses, scores=scores)
        self.reports.append(report)
        if "holdout/mAP/average" in scores and self._best("holdout").epoch == number:
            self.best_holdout = self.fit.weights()
        return report

    def save(self) -> None:
        reports = [dict(vars(report)) for report in self.reports]
        state = {**self.fit.state(), "reports": reports, "best_holdout": self.best_holdout}
        save_progress(self.folder.path, self.epoch, state)

    def _load(self) -> None:
        state = load_progress(self.folder.path)
        if state is not None:
            self.fit.load_state(state)
            self.reports = [EpochReport(**report) for report in state["reports"]]
            self.best_holdout = state["best_holdout"]

    def finish(self) -> None:
        """Write everything the folder keeps of a finished trial, the result last."""
        started = time.monotonic()
        selected = self.reports[-1]
        if self.best_holdout is not None:
            selected = self._best("holdout")
            self.fit.method.network.load_state_dict(self.best_holdout)
        test = self.evaluations[0]
        if self.tested is not None and self.tested[0] == selected.epoch:
            _, detections, activations, scores = self.tested
        else:
            detections, activations = self._localize(test.videos)
            scores = self._score(test, detections)
        write_detections(self.folder.detections, detections)
        save_weights(self.folder.checkpoint, selected.epoch, self.fit.weights())
        if activations is not None:
            write_atomically(self.folder.cas, activations.save)
        write_json(self.folder.scores, scores.to_json())
        self.folder.write_epochs(self.reports)
        seconds = sum(report.seconds for report in self.reports) + time.monotonic() - started
        self.folder.write_result(self._result(selected, scores, seconds))
        clear_progress(self.folder.path)

    def _result(self, selected: EpochReport, scores: DetectionScores, seconds: float) -> TrialResult:
        leaky = self._best("test")
        return TrialResult(
            key=self.spec.key,
            selected_epoch=selected.epoch,
            tiou=scores.tiou,
            mAP=scores.mAP,
            holdout_mAP=selected.scores.get(self._criterion("holdout")),
            best_on_test_epoch=leaky.epoch,
            best_on_test_mAP=leaky.scores[self._criterion("test")],
            detections=scores.detections,
            parameters=sum(tensor.numel() for tensor in self.fit.method.network.parameters()),
            seconds=seconds,
        )

    def _criterion(self, split: str) -> str:
        """mAP at tIoU .5, or the average where the study does not evaluate .5."""
        at = f"{SELECTION_TIOU:g}" if SELECTION_TIOU in self.spec.protocol["tiou"] else "average"
        return f"{split}/mAP/{at}"

    def _best(self, split: str) -> EpochReport:
        """The first of the evaluated epochs with the highest criterion."""
        criterion = self._criterion(split)
        return max((report for report in self.reports if criterion in report.scores), key=lambda r: r.scores[criterion])

    def _localize(self, videos: VideoSet) -> tuple[Detections, Activations | None]:
        method, inference = self.fit.method, Inference(**self.spec.inference)
        if not hasattr(method, "activations"):
            return method.detect(videos, self.classes, inference), None
        # Localized as kept on disk, so that scoring the kept activations again gives the same numbers.
        activations: Activations = method.activations(videos).rounded()
        return localize(activations, self.classes, inference), activations

    def _score(self, evaluation: Evaluation, detections: Detections) -> DetectionScores:
        protocol = self.spec.protocol
        return score(
            evaluation.truth, detections, tuple(protocol["tiou"]),
            protocol=protocol["evaluation"], subset=evaluation.name,
        )  # fmt: skip


def build(spec: TrialSpec, dataset: Dataset) -> Method:
    """The method with the initial weights its seed gives."""
    module: Any = declaration(spec.method)
    torch.manual_seed(spec.seed)
    method: Method = module.METHOD(
        module.Hyperparameters(**spec.hyperparameters), dataset.train.features.shape[1], len(dataset.classes)
    )
    return method
