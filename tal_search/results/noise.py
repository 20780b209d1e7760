"""How much the centre of a study varies by itself: over seeds, over annotators, between two runs."""

from __future__ import annotations

import math

import pandas as pd

from tal_search.results.statistics import deviation, pooled_deviation, repeatability
from tal_search.results.trials import StudyFrame


def noise(data: StudyFrame) -> float:
    """The centre's repeatability at `data.score`, in points of mAP; NaN with fewer than two repeats."""
    return repeatability(_centre(data)[data.score])


def noise_floor(data: StudyFrame) -> pd.DataFrame:
    """Where it comes from, one row a source: `spread over` seeds, annotators and all repeats, `n` of them, and `sd`.

    Sample standard deviations, points of mAP. Over seeds: of repeats with the same annotator, variances pooled.
    """
    centre = _centre(data)
    rows = []
    for source, fixed in (("seeds", "annotator"), ("annotators", "seed")):
        most = int(centre.groupby(fixed).size().max()) if len(centre) else 0
        pooled = pooled_deviation(centre[data.score], centre[fixed])
        rows.append({"spread over": source, "n": most, "sd": pooled})
    rows.append({"spread over": "all repeats", "n": len(centre), "sd": deviation(centre[data.score])})
    return pd.DataFrame(rows)


def noise_sentence(data: StudyFrame) -> str:
    """The same in words."""
    *parts, whole = noise_floor(data).to_dict("records")
    if whole["n"] < 2:
        return f"Noise floor at tIoU {data.threshold}: unknown, the centre has one repeat."
    words = [f"over {part['spread over']} sd {part['sd']:.1f}" for part in parts if not math.isnan(part["sd"])]
    said = f"Noise floor at tIoU {data.threshold}, from {whole['n']} repeats of the centre: {', '.join(words)}; "
    return said + f"two single runs differ by less than {noise(data):.1f} points 95 times in 100."


def _centre(data: StudyFrame) -> pd.DataFrame:
    done = data.done
    return done[data.is_centre(done)].sort_values(["seed", "annotator"], kind="stable")
