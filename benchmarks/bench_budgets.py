"""Rate of false answers about label budgets in simulated studies: `python -m benchmarks.bench_budgets`.

Studies of methods at label budgets, whose answers are those of `study.best_for`: at each budget the method with the
highest mean, and whether it is better than all others. The unit is the standard deviation of a run. True means:

- none: all cells are equal
- rising: each budget adds 10 to all methods, which are equal at each
- two lead: the same, but all methods but two are worse by 10: all comparisons but those of the two are settled
- leads by .5, leads by 3: the same as rising, but the first method is better by that at every budget

Columns: percentage of studies with a false "better than all others" at any budget (a cell of another method is truly as
good), and with a false "within noise" (the method is truly better or worse than one of the others by more than 2.77,
the difference that two single runs stay below 95 times in 100); then percentage of answers that say "better than all
others" and are true, of those that could.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.machine import machine
from tal_search.results.budgets.answers import answers
from tal_search.results.budgets.ladder import Ladder, ladder
from tal_search.results.trials import StudyFrame
from tal_search.types import SUPERVISION, VIDEOS, Floats

AXES = ("kernel_size", SUPERVISION + VIDEOS)
SCORE = "mAP@0.5"
STEP, CENTRE = 10.0, 50.0  # points between budgets; of the cheapest budget
NOISE = 1.96 * math.sqrt(2)
KINDS = ("none", "rising", "two lead", "leads by .5", "leads by 3")
LAYOUTS = ((2, 1), (2, 4), (4, 4), (8, 4), (4, 1), (12, 1))  # methods, budgets
SEEDS = (3, 5, 10)


class Rates(NamedTuple):
    """Fractions: of studies with a false "better" or "within noise", and of possible true "better" that were given."""

    better: float
    within: float
    power: float


def true_means(kind: str, methods: int, budgets: int) -> Floats:
    """The true mean of each cell, [methods, budgets], the cheapest budget first."""
    rise = 0.0 if kind == "none" else STEP
    mean_MB = np.tile(CENTRE + rise * np.arange(budgets), (methods, 1))
    if kind == "two lead":
        mean_MB[2:] -= STEP
    if kind.startswith("leads by"):
        mean_MB[0] += float(kind.rpartition(" ")[2])
    return mean_MB


def study(generator: np.random.Generator, mean_MB: Floats, seeds: int) -> StudyFrame:
    """A study with these true means; every budget costs twice the one before, and all methods cost as much."""
    methods, budgets = mean_MB.shape
    shares = 2.0 ** np.arange(1 - budgets, 1)
    places = pd.MultiIndex.from_product([range(methods), range(budgets), range(seeds)]).to_frame(index=False).to_numpy()
    method_N, budget_N, seed_N = places.T
    score = mean_MB[method_N, budget_N] + generator.standard_normal(len(places))
    trials = pd.DataFrame({
        AXES[0]: method_N, AXES[1]: shares[budget_N], "seed": seed_N, "annotator": "A1", "state": "done",
        "key": [f"{method}-{budget}" for method, budget in zip(method_N, budget_N, strict=True)], "method": "backtal",
        SCORE: score, "average": score, "holdout": np.nan, "leaky": np.nan, "parameters": 1.0, "seconds": 1.0,
        "annotation_seconds": 1.0, "annotation_total": 3600 * shares[budget_N],
    })  # fmt: skip
    return StudyFrame(
        plan="grid", method="backtal", dataset="thumos14", axes={axis: axis for axis in AXES},
        centre={AXES[0]: 0, AXES[1]: 1.0}, hyperparameters={}, inference={}, fit_inference={},
        protocol={"tiou": (0.5,)}, objectives={}, cases={}, trials=trials,
    )  # fmt: skip


def judged(found: Ladder, mean_MB: Floats) -> tuple[bool, bool, int, int]:
    """Whether any answer is a false "better" or "within noise"; how many are a true "better", and how many could."""
    points = found.points
    places = [key.split("-") for key in points["key"]]
    true = pd.Series([mean_MB[int(method), int(budget)] for method, budget in places], index=points.index)
    better = within = False
    power = possible = 0
    for answer in (one for one in answers(found) if one.cell):
        mine = points["cost"] <= answer.seconds * (1 + 1e-9)
        own = float(true[points["cell"] == answer.cell].iloc[0])
        others = true[mine & (points["method"] != answer.method)]
        best = bool((own > others).all())
        better |= answer.verdict == "better" and not best
        within |= answer.verdict == "within noise" and bool(((own - others).abs() > NOISE).all())
        power, possible = power + (best and answer.verdict == "better"), possible + best
    return better, within, power, possible


def rates(studies: int, kind: str, methods: int, budgets: int, seeds: int) -> Rates:
    """The rates of one layout."""
    generator, mean_MB = np.random.default_rng(0), true_means(kind, methods, budgets)
    found = [judged(ladder(study(generator, mean_MB, seeds), {}), mean_MB) for _ in range(studies)]
    better, within, power, possible = np.array(found, np.float64).sum(axis=0)
    return Rates(better / studies, within / studies, power / possible if possible else math.nan)


def table(studies: int) -> Iterator[str]:
    """Rows of rates in percent."""
    error = 100 * math.sqrt(0.05 * 0.95 / studies)
    yield f"Studies with a false answer, in % of {studies} (standard error at 5 %: {error:.1f}); power in % of answers"
    heads = " ".join(f"{kind:>18}" for kind in KINDS)
    yield f"{'methods x budgets':<18} {'seeds':>5} {heads}   (better / within noise / power)"
    for methods, budgets in LAYOUTS:
        for seeds in SEEDS:
            shown = [rates(studies, kind, methods, budgets, seeds) for kind in KINDS]
            words = [
                " / ".join("–" if math.isnan(rate) else f"{100 * rate:.1f}" for rate in of_kind) for of_kind in shown
            ]
            yield f"{f'{methods} x {budgets}':<18} {seeds:>5} " + " ".join(f"{one:>18}" for one in words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    studies = parser.parse_args().studies
    print(machine())
    for line in table(studies):
        print(line, flush=True)


if __name__ == "__main__":
    main()
