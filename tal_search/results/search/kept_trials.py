"""Description of the trials that a reader has filtered: their number, and their mean relative to the reference."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tal_search.results.noise import reference
from tal_search.results.trials import StudyFrame


class KeptTrials(NamedTuple):
    """`kept` of `total` finished trials; their `mean` score in percent, NaN for none, and its `difference` to
    `noise.reference` in points. Trials that share a cell or a seed are not independent, so no interval is given.
    """

    kept: int
    total: int
    mean: float
    difference: float


def kept_trials(data: StudyFrame, kept_N: NDArray[np.bool_], score: str) -> KeptTrials:
    """Summary of the trials selected by kept_N, a mask of the finished trials with the score, in order."""
    scores_N = data.done[score].dropna().to_numpy(np.float64)
    count = int(kept_N.sum())
    mean = float(scores_N[kept_N].mean()) if count else math.nan
    return KeptTrials(count, len(scores_N), mean, mean - reference(data, score).mean)
