"""Rate of false verdicts and statistical power in simulated studies: `python -m benchmarks.bench_verdicts`.

Studies of a centre and 28 cells on 7 axes, tested by `results.uncertainty` and `tal_search.compare`. The unit is the
standard deviation of one run of an ordinary cell. Seeds and annotators have a separate random effect on each cell
(effects common to all cells cancel). Unequal cells have runs with sd .5, 1 or 2; for "scaled" cells, the effects of
seeds and annotators scale likewise. Columns: percentage of studies with a false verdict on any cell. With a single
annotator, its effect belongs to the true value for that annotator, so no verdict is false ("–" under annotator
effects). Power: how often a cell that is better by 2 is called better, without seed and annotator effects, equal cells.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.machine import machine
from tal_search import compare
from tal_search.results.uncertainty.contrasts import contrasts
from tal_search.results.uncertainty.families import SIGNIFICANT
from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats

CELLS = 29
LAYOUTS = ((3, 3), (5, 3), (10, 3), (3, 1), (5, 1), (10, 1), (1, 3), (2, 3))  # seeds, annotators
MISSING = 0.1
EFFECTS = (0.0, 0.7, 1.5)
KINDS = ("equal", "unequal", "scaled")


class Design(NamedTuple):
    """A kind of study; of_seed, of_annotator: standard deviations of their effects on a cell."""

    seeds: int
    annotators: int
    kind: str = "equal"
    of_seed: float = 0.0
    of_annotator: float = 0.0


def study(generator: np.random.Generator, design: Design) -> Floats:
    """Scores [C, I, J] without any true difference between cells."""
    seeds, annotators, kind, of_seed, of_annotator = design
    noise = np.ones(CELLS) if kind == "equal" else generator.choice([0.5, 1.0, 2.0], CELLS)
    scale = noise if kind == "scaled" else np.ones(CELLS)
    added = of_seed * generator.standard_normal((CELLS, seeds, 1))
    added = added + of_annotator * generator.standard_normal((CELLS, 1, annotators))
    return noise[:, None, None] * generator.standard_normal((CELLS, seeds, annotators)) + scale[:, None, None] * added


def runs_of(score: Floats, generator: np.random.Generator, missing: float) -> Runs:
    """The scores as runs, of which a fraction is missing."""
    cells, seeds, annotators = score.shape
    value = score.reshape(cells, -1)
    value = np.where(generator.random(value.shape) < missing, np.nan, value)
    seed, annotator = np.repeat(np.arange(seeds), annotators), np.tile(np.arange(annotators), seeds)
    return Runs(value=value, seed=seed, annotator=annotator, single=np.zeros(cells, np.bool_))


def false_and_power(studies: int, design: Design, effect: float = 0.0, missing: float = 0.0) -> tuple[float, float]:
    """Fractions of studies with a false verdict, and of those in which the cell with the effect is called better."""
    generator, false, detected = np.random.default_rng(0), 0, 0
    for _ in range(studies):
        score = study(generator, design)
        score[1] += effect
        tested = contrasts(runs_of(score, generator, missing), 0)
        significant = tested.adjusted < SIGNIFICANT
        false += bool(significant[2:].any() or (significant[1] and effect == 0))
        detected += bool(significant[1] and tested.delta[1] > 0)
    return false / studies, detected / studies


def pair_rates(pairs: int, design: Design) -> tuple[float, float]:
    """Fractions of comparisons of two equal settings with p < .05: by `compare`, and by a t test over pairs of runs."""
    from scipy.stats import ttest_rel

    generator, false = np.random.default_rng(0), np.zeros(2)
    repeats = [(i, j) for i in range(design.seeds) for j in range(design.annotators)]
    for _ in range(pairs):
        both = study(generator, design)[:2].reshape(2, -1)
        frames = [pd.DataFrame(repeats, columns=["seed", "annotator"]).assign(mAP=score) for score in both]
        false += np.array([compare(*frames).p, ttest_rel(*both).pvalue]) < SIGNIFICANT
    return float(false[0] / pairs), float(false[1] / pairs)


def table(studies: int) -> Iterator[str]:
    """Rows of false verdicts and power."""
    error = 100 * math.sqrt(0.05 * 0.95 / studies)
    yield f"False verdicts in % of {studies} studies (standard error at 5 %: {error:.1f})"
    heads = " ".join(f"{f'{seed:g}/{annotator:g}':>7}" for seed in EFFECTS for annotator in EFFECTS)
    yield f"{'repeats':<12} {'cells':<8} {'effects of seed/annotator:':<27} {heads}   power"
    for seeds, annotators, missing in [*((*layout, 0.0) for layout in LAYOUTS), (3, 3, MISSING)]:
        name = f"{seeds} x {annotators}" + (f" -{missing:.0%}" if missing else "")
        for kind in KINDS:
            shares = []
            for effects in itertools.product(EFFECTS, EFFECTS):
                if annotators == 1 and effects[1]:
                    shares.append(f"{'–':>7}")
                    continue
                false, _ = false_and_power(studies, Design(seeds, annotators, kind, *effects), missing=missing)
                shares.append(f"{100 * false:7.1f}")
            power = ""
            if kind == "equal":
                _, detected = false_and_power(studies, Design(seeds, annotators), 2.0, missing)
                power = f"{100 * detected:6.0f} %"
            yield f"{name:<12} {kind:<8} {'':27} {' '.join(shares)}  {power}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    studies = parser.parse_args().studies
    print(machine())
    for line in table(studies):
        print(line, flush=True)
    print(f"\nTwo equal settings, p < .05 in % of {5 * studies}: compare (t test over pairs of runs)")
    for seeds, annotators in LAYOUTS[:3]:
        shown = []
        for of_seed, of_annotator in ((0.0, 0.0), (0.0, 1.5), (0.7, 0.7), (1.5, 1.5)):
            ours, naive = pair_rates(5 * studies, Design(seeds, annotators, "equal", of_seed, of_annotator))
            shown.append(f"{of_seed:g}/{of_annotator:g} {100 * ours:.1f} ({100 * naive:.0f})")
        print(f"{seeds} x {annotators}: {', '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
