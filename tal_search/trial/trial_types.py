"""Types of a trial: its specification, the report of one epoch, its result, and how it ended."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.types import canonical_json, criterion


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """Specification of one fit, with everything that a worker needs.

    `hyperparameters`, `inference` and `protocol` are complete; `cell` holds only the training axes that the study
    varies, at this trial's values. Every epoch is scored with `inference`, which is the preset's; `settings` are the
    other inference settings wanted, each complete, which are scored from the fit's cached activations and do not
    affect the fit. `supervision` is declared by the method for these hyperparameters; `annotator` is NO_ANNOTATOR if
    that includes no clicks.
    """

    method: str
    code_version: str
    hyperparameters: dict[str, Any]
    inference: dict[str, Any]
    protocol: dict[str, Any]
    supervision: tuple[str, ...]
    dataset: DatasetSpec
    annotator: str
    seed: int
    precision: str
    cell: dict[str, Any]
    settings: tuple[dict[str, Any], ...] = ()

    @cached_property
    def key(self) -> str:
        """Content hash: trials with equal keys are the same experiment, in any study."""
        content = {
            "method": self.method,
            "code_version": self.code_version,
            "hyperparameters": self.hyperparameters,
            "inference": self.inference,
            "protocol": self.protocol,
            "dataset": self.dataset.fingerprint,
            "clicks": self.dataset.fingerprints_read(self.annotator, self.supervision),
            "annotator": self.annotator,
            "snippets": self.dataset.snippets,
            "seed": self.seed,
            "precision": self.precision,
        }
        if self.dataset.folds:
            content["fold"] = [self.dataset.folds, self.dataset.fold]
        if self.dataset.sampling:
            content["sampling"] = self.dataset.sampling
        if len(set(self.dataset.streams)) > 1:  # halves need no word: trials of earlier versions keep their keys
            content["streams"] = self.dataset.streams
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:20]

    def to_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialSpec:
        tuples = {"settings": tuple(content.get("settings", ())), "supervision": tuple(content["supervision"])}
        return cls(**{**content, **tuples, "dataset": DatasetSpec.from_json(content["dataset"])})


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """Report of one epoch: mean losses by name, and mAP by split and tIoU if the epoch was evaluated.

    seconds: training only; scoring_seconds: the evaluation after it.
    """

    epoch: int
    epochs: int
    seconds: float
    losses: dict[str, float]
    scores: dict[str, float] = field(default_factory=dict)  # "test/mAP/0.5" -> fraction
    scoring_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialResult:
    """Result of a finished trial. Raises ValueError if a metric is not finite.

    mAP: fractions at `tiou`, on the test split, at `selected_epoch` (chosen by the study's selection protocol, never
    by test scores). holdout_mAP: the same on held-out training videos, None if none are held out. best_on_test_*: the
    leaky number that released codes report, kept separately; None if the test split is scored once, after selection.
    seconds: training only, that is the steps of all epochs and the method's preparation before each epoch; without
    reading data, scoring, checkpoints and the folder's files. scoring_seconds: scoring epochs and the selected epoch,
    and writing the folder. Results of earlier versions have both in `seconds`. note: why the test videos, or some of
    their classes, have no detection; "" where none is missing, and not stored then.
    """

    key: str
    selected_epoch: int
    tiou: tuple[float, ...]
    mAP: tuple[float, ...]
    holdout_mAP: tuple[float, ...] | None
    best_on_test_epoch: int | None
    best_on_test_mAP: float | None
    detections: int
    parameters: int
    seconds: float
    scoring_seconds: float = 0.0
    note: str = ""

    @property
    def wall_seconds(self) -> float:
        """Training and scoring."""
        return self.seconds + self.scoring_seconds

    def __post_init__(self) -> None:
        numbers = (*self.mAP, *(self.holdout_mAP or ()), self.best_on_test_mAP or 0.0, self.wall_seconds)
        bad = [number for number in numbers if not math.isfinite(number)]
        if bad:
            raise ValueError(f"trial {self.key} has a metric that is not finite: {bad[0]}")

    def at(self, tiou: float) -> float:
        """mAP at one tIoU threshold. Raises KeyError if it was not evaluated."""
        for threshold, value in zip(self.tiou, self.mAP, strict=True):
            if math.isclose(threshold, tiou, abs_tol=1e-9):
                return value
        raise KeyError(f"tIoU {tiou} was not evaluated; evaluated: {self.tiou}")

    def average(self, low: float, high: float) -> float:
        """Mean mAP over the tIoU thresholds from `low` to `high`, both included."""
        inside = [v for t, v in zip(self.tiou, self.mAP, strict=True) if low - 1e-9 <= t <= high + 1e-9]
        return float(np.mean(inside))

    def to_json(self) -> dict[str, object]:
        content = dataclasses.asdict(self)
        return content if self.note else {name: value for name, value in content.items() if name != "note"}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialResult:
        lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list | tuple)}
        return cls(**{**content, **lists})


State = Literal["finished", "failed", "pruned", "unfinished"]


class TrialOutcome(NamedTuple):
    """How a trial ended, if it has. result: of a finished trial; reason: of a failure, one line."""

    state: State
    result: TrialResult | None = None
    reason: str = ""


def setting_name(inference: Mapping[str, object]) -> str:
    """Short hash of complete inference settings; their scores are kept under it."""
    return hashlib.sha256(canonical_json(inference).encode()).hexdigest()[:10]


def objective(result: TrialResult) -> float:
    """The score that trials are compared by: mAP at tIoU 0.5, or the average if 0.5 is not scored.

    On held-out training videos if the protocol holds some out, else on the test split.
    """
    values = result.mAP if result.holdout_mAP is None else result.holdout_mAP
    name = criterion(result.tiou)
    return sum(values) / len(values) if name == "average" else values[result.tiou.index(float(name))]
