"""The best method for a budget of annotation time, with its interval and its verdict over the other methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd

from tal_search.results.budgets.ladder import Ladder, against, undecided
from tal_search.results.statistics import HIGH, LOW

Answer = Literal["better", "within noise", "needs repeats", "alone", "not repeated", "no method"]
UNKNOWN = math.nan


class BestFor(NamedTuple):
    """The method with the highest mean at a budget of seconds, of `unit` (see `Ladder`); only measured cells count.

    verdict: "better" than every other method within the budget, or not told apart from all of them: "within noise" or
    "needs repeats" (`needs`); "alone", no other method within it; "not repeated", no cell has an interval; "no method",
    every cell costs more. cell: the one with the highest mean, at `cost` seconds, with `n` repeats, `mean` and the 95 %
    interval `low` to `high` in percent. runner_up: the best other method that `method` is not better than, or if there
    is none the best other method, at its cell `runner_cell`; delta: `method` minus the runner-up in points, paired,
    with its corrected interval. NaN, 0 and "" for what is unknown.
    """

    seconds: float
    unit: str
    verdict: Answer
    method: str = ""
    cell: str = ""
    cost: float = UNKNOWN
    mean: float = UNKNOWN
    low: float = UNKNOWN
    high: float = UNKNOWN
    n: int = 0
    runner_up: str = ""
    runner_cell: str = ""
    delta: float = UNKNOWN
    delta_low: float = UNKNOWN
    delta_high: float = UNKNOWN
    needs: str = ""


def best_for(found: Ladder, seconds: float) -> BestFor:
    """The answer for a budget of seconds of the ladder's unit; nothing is interpolated between measured cells."""
    within, known = found.within(seconds), found.best_known(seconds)
    if not len(known):
        most = int(within["n"].max()) if len(within) else 0
        return BestFor(seconds, found.unit, "not repeated" if len(within) else "no method", n=most)
    best, number = known.iloc[0], int(known.index[0])
    answer = BestFor(
        seconds, found.unit, "alone", str(best["method"]), str(best["cell"]), float(best["cost"]),
        float(best[found.score]), float(best[found.score + LOW]), float(best[found.score + HIGH]), int(best["n"]),
    )  # fmt: skip
    others = within[within["method"] != best["method"]]
    if not len(others):
        return answer
    rivals = against(found.study, number).loc[others.index]
    left = others[rivals["verdict"] != "worse"]
    verdict: Answer = "better"
    needs = ""
    if len(left):
        verdict, needs = undecided(rivals)
    place = (left if len(left) else others).index[0]
    rival = rivals.loc[place]
    return answer._replace(
        verdict=verdict, needs=needs, runner_up=str(others.loc[place, "method"]),
        runner_cell=str(others.loc[place, "cell"]), delta=-float(rival["delta"]),
        delta_low=-float(rival["delta" + HIGH]), delta_high=-float(rival["delta" + LOW]),
    )  # fmt: skip


def answers(found: Ladder) -> list[BestFor]:
    """The answers for every budget, cheapest first: each holds from its `seconds` up to those of the next."""
    kept: list[BestFor] = []
    for cost in found.points["cost"].drop_duplicates():
        answer = best_for(found, float(cost))
        if not kept or _short(answer) != _short(kept[-1]):
            kept.append(answer)
    return kept


def _short(answer: BestFor) -> tuple[str, ...]:
    return answer.verdict, answer.method, answer.cell, answer.runner_cell


def of_answers(known: Sequence[BestFor], score: str) -> pd.DataFrame:
    """Answers as a table: `method`, `cell`, `n`, the score, `verdict`, `over`, and `Δ` to it, with intervals."""
    columns = {
        "method": "method", "cell": "cell", "n": "n", "mean": score, "low": score + LOW, "high": score + HIGH,
        "verdict": "verdict", "runner_cell": "over", "delta": f"Δ {score}", "delta_low": f"Δ {score}{LOW}",
        "delta_high": f"Δ {score}{HIGH}", "needs": "needs",
    }  # fmt: skip
    return pd.DataFrame(known, columns=list(BestFor._fields))[list(columns)].rename(columns=columns)
