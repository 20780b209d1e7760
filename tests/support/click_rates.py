"""Rates of a set of background clicks, counted by the definition: clicks inside instances, gaps without a click."""

from __future__ import annotations

import math

import numpy as np

from tal_search.data.simulation.clickers import SHORT_GAP
from tal_search.data.truth.truths import background_gaps
from tal_search.types import Annotations


def count_inside(truth: Annotations, clicks: dict[str, np.ndarray]) -> int:
    """Clicks that lie in an instance, its ends included."""
    count = 0
    for index, name in enumerate(truth.videos):
        segments = truth.segment[truth.video == index]
        count += sum(any(start <= second <= end for start, end in segments) for second in clicks.get(name, ()))
    return count


def missed_by_length(truth: Annotations, clicks: dict[str, np.ndarray]) -> tuple[float, float]:
    """Shares of short and of longer gaps without a click."""
    missed: dict[bool, list[bool]] = {True: [], False: []}
    for index, name in enumerate(truth.videos):
        seconds = clicks.get(name, np.zeros(0))
        for start, end in background_gaps(truth, index, float(truth.duration[index])):
            missed[bool(end - start < SHORT_GAP)].append(not ((seconds >= start) & (seconds < end)).any())
    return float(np.mean(missed[True] or [math.nan])), float(np.mean(missed[False]))
