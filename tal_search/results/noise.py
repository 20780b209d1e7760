"""Noise of a study: the spread over seeds and annotators, and the difference between two runs of one setting."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from tal_search.results.cell_table import numbered, repeats
from tal_search.results.statistics import deviation, floor, pooled_deviation, runs_of
from tal_search.results.trials import StudyFrame


def noise(data: StudyFrame, score: str | None = None) -> float:
    """The noise floor at a score (default `data.score`), in points of mAP: the difference that two single runs of the
    centre stay below 95 times in 100 (`statistics.floor`). NaN if it is unknown, without repeats to estimate it from.
    """
    return _floor(data, score or data.score)[0]


@lru_cache(maxsize=8)
def _floor(data: StudyFrame, score: str) -> tuple[float, int]:
    numbering, trials = numbered(data)
    done = repeats(trials).dropna(subset=score)
    code_N, numbers = pd.factorize(done["cell"])
    place = np.flatnonzero(numbering.loc[numbers, "centre"])
    if not len(place):
        return math.nan, 0
    return floor(runs_of(done[score], code_N, done), int(place[0]))


def centre_mean(data: StudyFrame, score: str | None = None) -> float:
    """The centre's mean over its finished repeats at a score (default `data.score`); NaN without any."""
    return float(_centre(data)[score or data.score].mean())


class Reference(NamedTuple):
    """Reference line of plots: its mean in percent, the noise floor in points (NaN if unknown), its name."""

    mean: float
    noise: float
    words: str


@lru_cache(maxsize=8)
def reference(data: StudyFrame, score: str) -> Reference:
    """The centre, or, if none of its repeats is finished, the mean of all trials, whose noise is unknown."""
    mean = centre_mean(data, score)
    if math.isnan(mean):
        return Reference(float(data.done[score].mean()), math.nan, "the mean of all trials")
    return Reference(mean, noise(data, score), "the centre")


def noise_floor(data: StudyFrame) -> pd.DataFrame:
    """The spread of the centre's own runs, one row per source: `spread over` seeds, annotators and all repeats, their
    number `n`, and `sd`.

    Sample standard deviations, points of mAP. Over seeds: within repeats of the same annotator, variances pooled; over
    annotators likewise.
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
    """The noise floor and the spread of the centre in words."""
    limit, runs = _floor(data, data.score)
    if math.isnan(limit):
        return f"Noise floor at tIoU {data.threshold}: unknown, the centre has one repeat."
    *parts, whole = noise_floor(data).to_dict("records")
    own = [f"over {part['spread over']} {part['sd']:.1f}" for part in parts if not math.isnan(part["sd"])]
    of_centre = f"; sd of the centre's own {whole['n']}: {', '.join(own)}" if own else ""
    return (
        f"Noise floor at tIoU {data.threshold}: two single runs of the centre differ by less than {limit:.1f} points "
        f"95 times in 100 (from {runs} runs{of_centre})."
    )


def _centre(data: StudyFrame) -> pd.DataFrame:
    done = data.done
    return done[data.is_centre(done)].sort_values(["seed", "annotator"], kind="stable")
