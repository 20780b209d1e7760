"""What the repeats of a cell say, as columns of a table: every tIoU with its interval, and points to compare by.

Percent throughout; NaN where there is no number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from tal_search.plan.adaptive_repeats import Repeat
from tal_search.plan.plan import Plan
from tal_search.results.statistics import Interval, interval, repeatability
from tal_search.trial.trial_types import TrialResult

WITHIN = " ±95%"  # ends the name of a column that holds half the width of a 95 % interval

Results = Mapping[Repeat, TrialResult]


def statistics(plan: Plan, found: Results) -> dict[str, Any]:
    """`n`, and the mean `mAP@t` of every tIoU and `average` over `average_range`, each with its `WITHIN`."""
    low, high, _ = average_range(plan)
    series = {f"mAP@{tiou:g}": [result.at(tiou) for result in found.values()] for tiou in plan.protocol["tiou"]}
    series["average"] = [result.average(low, high) for result in found.values()]
    columns: dict[str, Any] = {"n": len(found)}
    for name, values in series.items():
        columns |= within(name, interval(100 * value for value in values))
    return columns


def average_range(plan: Plan) -> tuple[float, float, str]:
    """.3:.7 is the average THUMOS14 papers print; all evaluated thresholds where a study leaves it out."""
    tious = plan.protocol["tiou"]
    if {0.3, 0.4, 0.5, 0.6, 0.7} <= set(tious):
        return 0.3, 0.7, "0.3:0.7"
    return min(tious), max(tious), f"{min(tious):g}:{max(tious):g}"


def within(name: str, found: Interval) -> dict[str, float]:
    """The mean, and half of the interval's width."""
    return {name: found.mean, name + WITHIN: found.high - found.mean if math.isfinite(found.high) else math.nan}


def points(tiou: str, found: Results) -> dict[Repeat, float]:
    """mAP by repeat at a tIoU as `criterion` names it, or the average."""
    return {
        repeat: 100 * (fmean(result.mAP) if tiou == "average" else result.at(float(tiou)))
        for repeat, result in found.items()
    }


def noise_floor(tiou: str, centre: Mapping[Repeat, float]) -> str:
    """How much the centre varies by itself: over seeds (same annotator), over annotators (same seed), between runs."""
    if len(centre) < 2:
        return f"Noise floor at tIoU {tiou}: unknown, the centre has one repeat."
    parts = [
        f"over {name} sd {spread:.1f}"
        for name, spread in (("seeds", _spread(centre, 1)), ("annotators", _spread(centre, 0)))
        if not math.isnan(spread)
    ]
    said = f"Noise floor at tIoU {tiou}, from {len(centre)} repeats of the centre: {', '.join(parts)}; "
    return said + f"two single runs differ by less than {repeatability(centre.values()):.1f} points 95 times in 100."


def _spread(centre: Mapping[Repeat, float], fixed: int) -> float:
    """Mean standard deviation of the repeats that have the same seed (fixed=0) or annotator (fixed=1)."""
    groups: dict[Any, list[float]] = {}
    for repeat, value in centre.items():
        groups.setdefault(repeat[fixed], []).append(value)
    found: Sequence[float] = [stdev(values) for values in groups.values() if len(values) > 1]
    return fmean(found) if found else math.nan
