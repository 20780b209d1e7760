"""Check of training length: if the centre's mAP still rises at the end, a note says that the study compares speeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from tal_search.results.trials import StudyFrame

LAST_PART = 0.25  # share of the epochs
MOST_RISE = 1.0  # points of mAP over the last part above which a note is shown
MOST_CURVES = 50  # fits read


def last_rise(curves: Iterable[pd.DataFrame]) -> float:
    """Mean rise over the last quarter of the epochs, in the unit of `score`; NaN if no curve is long enough.

    curves: one per fit, `epoch` and `score` of the scored epochs, with linear interpolation between them.
    """
    rises = []
    for curve in curves:
        epoch, score = curve.sort_values("epoch")[["epoch", "score"]].to_numpy(float).T
        begun = (1 - LAST_PART) * epoch.max(initial=0)
        if len(epoch) and epoch[0] <= begun:
            rises.append(float(score[-1] - np.interp(begun, epoch, score)))
    return sum(rises) / len(rises) if rises else math.nan


def speed_note(data: StudyFrame, epochs_of: Callable[[str], pd.DataFrame]) -> str:
    """A note above every table of a study whose centre still rises by more than MOST_RISE; else "".

    epochs_of: from a fit's key to its epochs, with scores as fractions by split ("test/mAP/0.5"), NaN if unknown. The
    curve is of held-out videos if epochs are scored on them, else of the test split, and is not used for selection.
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
