"""A sampler's study drawn from a known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.runs import Runs
from tests.support.drawn_runs import study_of

Truth = Callable[[dict[str, Any]], float]


SETTINGS = {"strong": 0.5, "weak": 1, "idle": 10.0, "on": True, "size": 3}


def truth(cell: dict[str, Any]) -> float:
    """Points of mAP; `size` has a say where `on` is."""
    return 40 + 20 * cell["strong"] + cell["weak"] + cell["on"] * (5 + 0.5 * cell["size"])


def sampled(count: int = 60, noise: float = 0.3, best: Truth = truth) -> StudyFrame:
    """A sampler's cells, the centre first; two repeats a cell."""
    random = np.random.default_rng(0)
    found = [SETTINGS]
    for _ in range(count - 1):
        on = bool(random.random() < 0.6)
        found.append({
            "strong": float(random.random()), "weak": int(random.integers(1, 4)),
            "idle": float(np.exp(random.uniform(0, 4))), "on": on, "size": int(random.integers(1, 10)) if on else 3,
        })  # fmt: skip
    value = np.array([best(cell) for cell in found])[:, None] + noise * random.normal(size=(count, 2))
    runs = Runs(value=value, seed=np.arange(2), annotator=np.zeros(2, np.int64), single=np.zeros(count, np.bool_))
    return replace(study_of(runs, found, "sampler"), objectives={"mAP": "maximize"})
