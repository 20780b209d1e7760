"""What a study of cases found: one row a case, beside the reference and beside the published system it rebuilds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from tal_search.plan.adaptive_repeats import Repeat, alike
from tal_search.plan.cells import CASE, Trial
from tal_search.plan.plan import Plan
from tal_search.results.cell_statistics import average_range, points, statistics, within
from tal_search.results.published import published_systems
from tal_search.results.statistics import difference, repeatability, verdicts
from tal_search.trial.trial_types import TrialResult
from tal_search.types import VIDEO_LABELS, criterion

NOT_AVAILABLE = "not available"


class Comparison(NamedTuple):
    """`rows` in the study's order, the reference first.

    Columns: `case`, `method`, `supervision`, `seconds` (of annotation, per minute of video, mean over the annotators),
    `n` finished repeats, `mAP@t` for every tIoU and `average` over `average_over`, `delta` (mean paired difference to
    the reference at tIoU `tiou`), each with its `WITHIN`; `pairs` the difference is of; `verdict` (see
    `paired.verdicts`); `paper@t` and `paper source`. Percent; NaN where there is none.
    """

    reference: str
    tiou: str
    average_over: str
    rows: pd.DataFrame


def comparison_info(plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult]) -> Comparison:
    """Every case from the trials and the results there are (trial id → result); unfinished cases keep n = 0."""
    found: dict[str, dict[Repeat, TrialResult]] = {name: {} for name in plan.cases}
    for trial in trials:
        if trial.id in results:
            found[trial.cell[CASE]][trial.repeat] = results[trial.id]
    rows = [{**_described(plan, name), **statistics(plan, mine), **_paper(plan, name)} for name, mine in found.items()]
    reference, tiou = next(iter(plan.cases)), criterion(plan.protocol["tiou"])
    values = {name: points(tiou, mine) for name, mine in found.items()}
    differences = [difference(*alike(values[name], values[reference])) for name in values if name != reference]
    said = verdicts(differences, repeatability(values[reference].values()))
    rows[0] |= {"verdict": "reference"}
    for row, one, verdict in zip(rows[1:], differences, said, strict=True):
        row |= {**within("delta", one), "pairs": one.n, "verdict": verdict}
    return Comparison(reference, tiou, average_range(plan)[2], pd.DataFrame(rows))


def _described(plan: Plan, name: str) -> dict[str, Any]:
    case = plan.cases[name]
    words = ", ".join(kind for kind in case.supervision if kind != VIDEO_LABELS) or VIDEO_LABELS
    seconds = fmean(trial.annotation_seconds for trial in plan.trials_of({CASE: name}))
    return {CASE: name, "method": case.method, "supervision": words, "seconds": seconds}


def _paper(plan: Plan, name: str) -> dict[str, Any]:
    system = plan.study.search.cases[name].paper
    published = None if system is None else published_systems(plan.dataset.name)[system]
    numbers = {} if published is None else published.mAP
    tious = [f"{tiou:g}" for tiou in plan.protocol["tiou"]]
    columns = {f"paper@{tiou}": numbers.get(tiou, math.nan) for tiou in (*tious, average_range(plan)[2])}
    return {**columns, "paper source": NOT_AVAILABLE if published is None else published.source}
