"""Studies without a run, and made-up scores of their trials by group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tal_search.results.trials import StudyFrame
from tests.support.drawn_runs import drawn, study_of

AXIS = "axis 0"


def study(cells: list[dict[str, float]], seeds: int = 5) -> StudyFrame:
    return study_of(drawn(np.random.default_rng(0), len(cells), seeds, 1), cells)


def group_scores(data: StudyFrame, groups: int, shift: float = 0.0) -> pd.DataFrame:
    """Of every trial; the last group is `shift` higher at value 1 of the axis."""
    random, trials = np.random.default_rng(1), data.trials
    scores = pd.DataFrame({f"g{place}": 50 + random.normal(size=len(trials)) for place in range(groups)}, trials.index)
    scores.iloc[:, -1] += shift * (trials[AXIS] == 1)
    return scores
