"""Answers about label budgets in sentences, and times as people say them."""

from __future__ import annotations

import math

import pandas as pd

from tal_search.results.budgets.answers import BestFor, answers, best_for, of_answers
from tal_search.results.budgets.ladder import Ladder
from tal_search.text.words import around

MINUTE, HOUR = 60, 3600
# Budgets that people think in, in seconds: 1, 2, 5, ... seconds, minutes and hours.
ROUND = (
    *(1, 2, 5, 10, 20, 30),
    *(MINUTE * number for number in (1, 2, 5, 10, 20, 30)),
    *(HOUR * number for number in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)),
)
SHOWN = 2  # budgets that a terminal answers besides the whole one


def spent(seconds: float) -> str:
    """A time in words: "40 s", "8.5 min", "2 h"."""
    if math.isinf(seconds):
        return "any time"
    for size, name in ((HOUR, "h"), (MINUTE, "min")):
        if seconds >= size * (1 - 1e-9):
            number = seconds / size
            return f"{number:.0f} {name}" if number >= 100 else f"{number:.3g} {name}".replace(".0 ", " ")
    return f"{seconds:.3g} s"


def cost_words(seconds: float, unit: str) -> str:
    """A cost in words: "2 h", or "48.1 s/min" per minute of video."""
    return spent(seconds) if unit == "total" else f"{seconds:.3g} s/min"


def answers_table(found: Ladder) -> pd.DataFrame:
    """`answers` as a table; `from`: the annotation time in words from which each holds."""
    known = answers(found)
    table = of_answers(known, found.score)
    table.insert(0, "from", [cost_words(answer.seconds, answer.unit) for answer in known])
    return table


def round_budgets(found: Ladder) -> tuple[float, ...]:
    """Round times above the cheapest cell, and the highest cost; per minute of video, the costs of all cells."""
    costs = sorted(set(found.points["cost"]))
    if found.unit == "minute" or not costs:
        return tuple(costs)
    return (*(float(time) for time in ROUND if costs[0] <= time < costs[-1] / (1 + 1e-9)), costs[-1])


def answer_words(answer: BestFor, score: str) -> str:
    """The answer as a sentence. No cell is called best without an interval, nor without its verdict."""
    scope = "" if answer.unit == "total" else " of video"
    budget = spent(answer.seconds) if answer.unit == "total" else f"{answer.seconds:.3g} s per minute"
    if answer.verdict == "no method":
        return f"Within {budget}{scope}: no method of this study; each of its cells costs more."
    if answer.verdict == "not repeated":
        few = "one repeat" if answer.n == 1 else f"{answer.n} repeats at most"
        return f"Within {budget}{scope}: {few}: no best can be named."
    mean = f"{score} {answer.mean:.1f}{around(answer.mean, answer.low, answer.high)} %"
    head = f"{answer.cell} has the highest mean, {mean} (95 % interval, n = {answer.n})"
    return f"Within {budget}{scope}: {head} at {cost_words(answer.cost, answer.unit)}; {_verdict(answer)}."


def _verdict(answer: BestFor) -> str:
    delta = f"{answer.delta:+.1f}{around(answer.delta, answer.delta_low, answer.delta_high)}".replace("-", "−")
    match answer.verdict:
        case "alone":
            return "no other method is within it"
        case "better":
            return f"better than all others, the next is {answer.runner_cell} ({delta} points)"
        case "within noise":
            return f"within the noise of {answer.runner_cell} ({delta} points)"
    needs = f": needs {answer.needs}" if answer.needs else ""
    known = "" if math.isnan(answer.delta) else f" ({delta} points)"
    return f"not told apart from {answer.runner_cell}{known}{needs}"


def spoken(found: Ladder) -> list[str]:
    """The answers that a terminal prints: for a few round budgets spread over the study's, and for the highest cost."""
    budgets = round_budgets(found)
    if not budgets:
        return []
    places = sorted({round((len(budgets) - 1) * part / (SHOWN + 1)) for part in range(1, SHOWN + 2)})
    return [answer_words(best_for(found, budgets[place]), found.score) for place in places]
