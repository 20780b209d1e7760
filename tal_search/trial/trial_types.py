"""A trial in three records: what it is asked to do, what an epoch of it gave, and its result."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tal_search.types import DatasetSpec, canonical_json, criterion


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """One cell × one repeat, complete: a worker needs nothing else.

    `hyperparameters`, `inference` and `protocol` are complete plain dictionaries; `cell` holds only the training axes
    the study varies, at this trial's values. `inference` is what every epoch is scored with, the preset's whatever the
    study varies; `settings` are the other inference settings wanted, each complete, which are scored from the fit's
    cached activations and change nothing of the fit. `supervision` is what the method declares for these
    hyperparameters; `annotator` is NO_ANNOTATOR where that holds no clicks.
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
        """Content hash: equal keys are the same experiment, whatever study asks for it."""
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
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:20]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TrialSpec:
        tuples = {"settings": tuple(content.get("settings", ())), "supervision": tuple(content["supervision"])}
        return cls(**{**content, **tuples, "dataset": DatasetSpec(**content["dataset"])})


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """What one epoch gave: mean losses by name, and mAP by split and tIoU where the epoch was evaluated.

    seconds: training alone; scoring_seconds: the evaluation after it.
    """

    epoch: int
    epochs: int
    seconds: float
    losses: dict[str, float]
    scores: dict[str, float] = field(default_factory=dict)  # "test/mAP/0.5" -> fraction
    scoring_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialResult:
    """A finished trial. A result with a number that is not finite cannot be built.

    mAP: fractions at `tiou`, on the test split, at `selected_epoch` (chosen by the study's selection protocol, never
    by test scores). holdout_mAP: the same on held-out training videos, None where none are held out. best_on_test_*:
    the leaky number released codes report, kept apart; None where the test split is scored once, after selection.
    seconds: of training alone, the steps of all epochs and what the method prepares before each; reading data, scoring
    of any split, checkpoints and the folder's files are no part of it. scoring_seconds: scoring of epochs and of the
    selected one, and writing the folder. Results of earlier versions have both in `seconds`.
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
        """mAP at one tIoU threshold."""
        for threshold, value in zip(self.tiou, self.mAP, strict=True):
            if math.isclose(threshold, tiou, abs_tol=1e-9):
                return value
        raise KeyError(f"tIoU {tiou} was not evaluated; evaluated: {self.tiou}")

    def average(self, low: float, high: float) -> float:
        """Mean of the mAPs from tIoU `low` to `high`, both included."""
        inside = [v for t, v in zip(self.tiou, self.mAP, strict=True) if low - 1e-9 <= t <= high + 1e-9]
        return float(np.mean(inside))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TrialResult:
        holdout = content["holdout_mAP"]
        return cls(
            **{
                **content,
                "tiou": tuple(content["tiou"]),
                "mAP": tuple(content["mAP"]),
                "holdout_mAP": None if holdout is None else tuple(holdout),
            }
        )


def setting_name(inference: dict[str, Any]) -> str:
    """A short name for complete inference settings, under which a trial keeps what they score."""
    return hashlib.sha256(canonical_json(inference).encode()).hexdigest()[:10]


def objective(result: TrialResult) -> float:
    """What a trial is compared by: mAP at tIoU 0.5 (or the average over the study's thresholds where 0.5 is none).

    On held-out training videos where there are any, else on the test split.
    """
    values = result.mAP if result.holdout_mAP is None else result.holdout_mAP
    name = criterion(result.tiou)
    return sum(values) / len(values) if name == "average" else values[result.tiou.index(float(name))]
