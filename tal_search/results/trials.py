"""The input of all results: the description of a study and a frame of its trials, independent of files and records."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tal_search.data.definition import PublishedSystem
from tal_search.results.uncertainty.contrasts import LEAST_REPEATS
from tal_search.text.words import some_of
from tal_search.types import Floats, criterion

PAPERS_RANGE = (0.3, 0.4, 0.5, 0.6, 0.7)  # whose average THUMOS14 papers print


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyFrame:
    """One study with its trials so far.

    plan: one_at_a_time, grid, cases or sampler. axes: symbol of each varied hyperparameter, by name; centre: the value
    of each axis at the centre (in a study of cases, the reference). dataset: its name. hyperparameters, inference,
    protocol: complete settings of the centre; fit_inference: inference settings at which fits are scored. cases: the
    published system that each case rebuilds; published: all of the dataset, by name. objectives: direction of each
    objective of a sampler.

    trials has one row per trial and at least these columns: the axes by name, `key` (of its fit), `seed`, `annotator`,
    `method`, `state` ("done", or anything else), `annotation_seconds` (per minute of labelled video),
    `annotation_total` (seconds over the whole training set), those of `score_columns`, and of the result `detections`,
    `parameters`, `seconds` (of training) and `scoring_seconds`; `reason`: why detections are missing, or "". mAP in
    percent; NaN if unknown.

    name: the study's; runs: the folder where it is now; overrides: the command line of its last run, study=NAME first;
    lanes: number of trials it ran at once. shares: label budgets of the centre, by axis (SUPERVISION and a name).
    label: "simulated data", "simulated clicks" or "", see `simulation_label`.
    other_code: trials of the record that are left out, because other code trained them.

    folds: in a study with folds `by`, `of` and the number of `subjects`, else empty. There, `trials` has one row per
    cell, seed and annotator, pooled over the folds (`results.folds.pooling.pooled`), and `single` one per fold.
    """

    plan: str
    method: str
    dataset: str
    axes: dict[str, str]
    centre: dict[str, Any]
    hyperparameters: dict[str, Any]
    inference: dict[str, Any]
    fit_inference: dict[str, Any]
    protocol: dict[str, Any]
    objectives: dict[str, str]
    cases: dict[str, str | None]
    trials: pd.DataFrame = field(repr=False)
    name: str = ""
    runs: Path = Path("runs")
    overrides: tuple[str, ...] = ()
    lanes: int = 1
    label: str = ""
    other_code: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    published: dict[str, PublishedSystem] = field(default_factory=dict)
    folds: dict[str, Any] = field(default_factory=dict)
    single: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def methods(self) -> str:
        """The methods of its trials in words, or of its settings while it has none."""
        return some_of(list(dict.fromkeys(self.trials["method"].dropna())) or [self.method])

    @property
    def subjects(self) -> int:
        """The number of subjects that folds test; 0 in a study without folds."""
        return int(self.folds.get("subjects", 0))

    @property
    def least_seeds(self) -> float:
        """The fewest seeds that give a verdict; infinite where each subject has a fit of its own: more subjects do."""
        return math.inf if self.subjects and self.subjects == self.folds["of"] else LEAST_REPEATS

    @property
    def seeds_floor(self) -> float:
        """The fewest seeds to ask for where some number would decide: `least_seeds`, 0 where that is infinite."""
        return self.least_seeds if math.isfinite(self.least_seeds) else 0.0

    @property
    def every(self) -> pd.DataFrame:
        """One row per trial, also of a study with folds, with their column `fold`."""
        return self.trials if self.single is None else self.single

    @property
    def every_done(self) -> pd.DataFrame:
        return self.every[self.every["state"] == "done"]

    @property
    def tiou(self) -> tuple[float, ...]:
        return tuple(self.protocol["tiou"])

    @property
    def average_over(self) -> str:
        """The range of thresholds of `average`, written as published ranges are: "0.3:0.7"."""
        low, high = averaged(self.tiou)
        return f"{low:g}:{high:g}"

    @property
    def threshold(self) -> str:
        """The tIoU at which cells are compared: "0.5", or "average" if 0.5 is not evaluated."""
        return criterion(self.tiou)

    @property
    def score(self) -> str:
        """The column of `threshold`."""
        return self.threshold if self.threshold == "average" else f"mAP@{self.threshold}"

    @property
    def done(self) -> pd.DataFrame:
        return self.trials[self.trials["state"] == "done"]

    def is_centre(self, frame: pd.DataFrame, free: Collection[str] = ()) -> pd.Series[bool]:
        """For each row with the axes as columns, whether it is at the centre in all axes except the free ones."""
        at = pd.Series(True, index=frame.index)
        for axis in self.axes.keys() - {*free}:
            at &= equal(frame[axis], self.centre[axis])
        return at


def equal(column: pd.Series, value: object) -> pd.Series[bool]:
    """Rows in which the column of an axis has this value, which may be None."""
    return column.isna() if value is None else column == value


def averaged(tiou: Collection[float]) -> tuple[float, float]:
    """First and last threshold of `average`: 0.3 and 0.7 if all five are evaluated, else the lowest and highest."""
    return (PAPERS_RANGE[0], PAPERS_RANGE[-1]) if {*PAPERS_RANGE} <= {*tiou} else (min(tiou), max(tiou))


def score_columns(tiou: tuple[float, ...], mAP_NT: Floats, held_NT: Floats, leaky_N: Floats) -> dict[str, Floats]:
    """Score columns of N trials in percent, from fractions on the test split, on held-out videos and of the best epoch.

    `mAP@t` for each of the T thresholds, `average` over `averaged`; `holdout` (held-out training videos, at
    `criterion`) and `leaky` (the best epoch on the test split, likewise). NaN if unknown.
    """
    low, high = averaged(tiou)
    inside = [low - 1e-9 <= threshold <= high + 1e-9 for threshold in tiou]
    name = criterion(tiou)
    held = _mean(held_NT) if name == "average" else held_NT[:, tiou.index(float(name))]
    columns = {f"mAP@{threshold:g}": 100 * mAP_NT[:, place] for place, threshold in enumerate(tiou)}
    return columns | {"average": 100 * _mean(mAP_NT[:, inside]), "holdout": 100 * held, "leaky": 100 * leaky_N}


def code_note(data: StudyFrame) -> str:
    """A note above every table of a study whose record has trials of other code, which no table counts; else ""."""
    if not data.other_code:
        return ""
    trials = "1 trial" if data.other_code == 1 else f"{data.other_code} trials"
    return (
        f"{trials} that other code trained left out, as numbers of two codes are not averaged; "
        "`run` with accept_code_change=true keeps finished trials instead of training them again."
    )


def silent_note(data: StudyFrame) -> str:
    """A note above every table of a study with finished trials that detect nothing, with a reason; else "".

    Reads the columns `detections` and `reason` of the trials.
    """
    done = data.done
    if "detections" not in done:
        return ""
    silent = done[done["detections"] == 0]
    if not len(silent):
        return ""
    count = f"{len(silent)} of {len(done)} finished trials without detections, whose mAP is therefore 0"
    reasons = [str(reason) for reason in silent["reason"].drop_duplicates() if reason]
    if not reasons:
        return f"{count}."  # of a version that did not keep reasons
    others = f" (and {len(reasons) - 1} more reasons, in the list of trials)" if len(reasons) > 1 else ""
    return f"{count}: {reasons[0].removeprefix('no detections: ')}{others}."


def _mean(values_NT: Floats) -> Floats:
    """Mean of each row. In row-major memory, so that the sum does not depend on the number of rows."""
    means: Floats = np.ascontiguousarray(values_NT).mean(axis=1)
    return means
