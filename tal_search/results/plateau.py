"""Whether a study compares what its settings reach, or how fast they learn: does the centre still rise at its end?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from tal_search.results.trials import StudyFrame

LAST_PART = 0.25  # of the epochs
MOST_RISE = 1.0  # points of mAP over it, beyond which speeds are compared
MOST_CURVES = 50


def last_rise(curves: Iterable[pd.DataFrame]) -> float:
    """Mean rise over the last quarter of the epochs, in the unit of `score`; NaN where no curve is long enough.

    curves: one a fit, `epoch` and `score` at the epochs that were scored, between which it is taken for straight.
    """
    rises = []
    for curve in curves:
        epoch, score = curve.sort_values("epoch")[["epoch", "score"]].to_numpy(float).T
        begun = (1 - LAST_PART) * epoch.max(initial=0)
        if len(epoch) and epoch[0] <= begun:
            rises.append(float(score[-1] - np.interp(begun, epoch, score)))
    return sum(rises) / len(rises) if rises else math.nan


def speed_note(data: StudyFrame, epochs_of: Callable[[str], pd.DataFrame]) -> str:
    """A sentence for the head of every table of a study whose centre still rises by more than a point; else "".

    epochs_of: from a fit's key to its epochs, with scores as fractions by split ("test/mAP/0.5"), NaN where there is
    none. The curve is of held-out videos where epochs are scored on them, else of the test split, and chooses nothing.
    """
    split = "holdout" if data.protocol["selection"] == "holdout" else "test"
    column = f"{split}/mAP/{data.threshold}"
    keys = data.done.loc[data.is_centre(data.done), "key"].drop_duplicates().head(MOST_CURVES)
    read = [epochs_of(key) for key in keys]
    curves = [epochs.dropna(subset=column) for epochs in read if column in epochs]
    rise = last_rise(curve.assign(score=100 * curve[column])[["epoch", "score"]] for curve in curves)
    if not rise > MOST_RISE:
        return ""
    return (
        f"Speeds of learning are compared: over the last quarter of its epochs the centre still rises by {rise:.1f} "
        f"points of {data.score}. Train longer to compare what the settings reach."
    )
