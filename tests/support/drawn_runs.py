"""Runs drawn from the model of `results.uncertainty.components`: as arrays, and as a study whose cells they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats
from tests.support.plain_statistics import Repeats

SCORE = "mAP@0.5"


def drawn(
    random: np.random.Generator, cells: int, seeds: int = 3, annotators: int = 3, *, seed: float = 0.0,
    annotator: float = 0.0, noise: float | Floats = 1.0, repeat: float = 1.0,
) -> Runs:  # fmt: skip
    """No cell differs. seed, annotator: standard deviation of what each adds to a cell; noise: of the rest, of all
    cells or of each; repeat: of what a repeat adds to all cells.
    """
    seed_R, annotator_R = np.repeat(np.arange(seeds), annotators), np.tile(np.arange(annotators), seeds)
    noise_C = np.broadcast_to(np.asarray(noise, np.float64), cells)
    value = 40 + noise_C[:, None] * random.normal(size=(cells, len(seed_R))) + repeat * random.normal(size=len(seed_R))
    value = value + noise_C[:, None] * seed * random.normal(size=(cells, seeds))[:, seed_R]
    value = value + noise_C[:, None] * annotator * random.normal(size=(cells, annotators))[:, annotator_R]
    return Runs(value=value, seed=seed_R, annotator=annotator_R, single=np.zeros(cells, np.bool_))


def repeats_of(runs: Runs, cell: int) -> Repeats:
    keys = zip(runs.seed.tolist(), map(str, runs.annotator.tolist()), strict=True)
    return {key: float(value) for key, value in zip(keys, runs.value[cell], strict=True) if np.isfinite(value)}


def without(runs: Runs, missing: Sequence[tuple[int, int]]) -> Runs:
    """Without the runs at these cells and repeats."""
    value = runs.value.copy()
    for cell, repeat in missing:
        value[cell, repeat] = np.nan
    return Runs(value=value, seed=runs.seed, annotator=runs.annotator, single=runs.single)


def study_of(
    runs: Runs, cells: Sequence[dict[str, Any]], plan: str = "one_at_a_time", holdout: Floats | None = None
) -> StudyFrame:
    """A study of these cells, the first of them its centre, each scored by its runs at tIoU 0.5; holdout: of cells."""
    rows = [
        {**cell, "seed": int(runs.seed[repeat]), "annotator": f"A{runs.annotator[repeat]}", SCORE: value,
         "holdout": np.nan if holdout is None else holdout[place]}
        for place, cell in enumerate(cells)
        for repeat, value in enumerate(runs.value[place])
        if np.isfinite(value)
    ]  # fmt: skip
    trials = pd.DataFrame(rows).assign(
        method="backtal", state="done", annotation_seconds=45.0, leaky=np.nan, parameters=1.0, seconds=1.0
    )
    trials["average"] = trials[SCORE]
    return StudyFrame(
        plan=plan, method="backtal", dataset="thumos14", axes={axis: axis[0] for axis in cells[0]}, centre=cells[0],
        hyperparameters={}, inference={}, fit_inference={}, protocol={"tiou": (0.5,)}, objectives={}, cases={},
        trials=trials,
    )  # fmt: skip


def one_at_a_time(axes: int, values: int) -> list[dict[str, float]]:
    """The centre, then every cell that is off it in one axis."""
    centre = {f"axis {axis}": 0.0 for axis in range(axes)}
    return [centre, *({**centre, axis: float(value)} for axis in centre for value in range(1, values))]
