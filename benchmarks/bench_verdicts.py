"""How often verdicts are false, and how often they find what is there: `python -m benchmarks.bench_verdicts`.

Simulated studies of a centre and 28 cells on 7 axes, through `results.uncertainty` and `tal_search.compare`. Unit: the
standard deviation of one run of an ordinary cell. Seeds and annotators add to each cell what they add to no other
(effects common to all cells cancel). Unequal cells have runs of sd .5, 1 or 2, or ("scaled") those and effects too.
Columns: share of studies with a false verdict among their cells, in percent; where only one annotator is there, its
effect is part of what is true of that annotator, so there is nothing false to count ("–" under annotator effects).
Power: how often a cell that is 2 better is called so, without annotator and seed effects, equal cells.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tal_search import compare
from tal_search.results.uncertainty.components import Runs
from tal_search.results.uncertainty.contrasts import contrasts
from tal_search.results.uncertainty.families import SIGNIFICANT
from tal_search.types import Floats

CELLS = 29
LAYOUTS = ((3, 3), (5, 3), (10, 3), (3, 1), (5, 1), (10, 1), (1, 3), (2, 3))  # seeds, annotators
MISSING = 0.1
EFFECTS = (0.0, 0.7, 1.5)
KINDS = ("equal", "unequal", "scaled")


def study(
    generator: np.random.Generator, seeds: int, annotators: int, of_seed: float, of_annotator: float, kind: str
) -> Floats:
    """Scores [C, I, J] where no cell differs from another."""
    noise = np.ones(CELLS) if kind == "equal" else generator.choice([0.5, 1.0, 2.0], CELLS)
    scale = noise if kind == "scaled" else np.ones(CELLS)
    added = of_seed * generator.standard_normal((CELLS, seeds, 1))
    added = added + of_annotator * generator.standard_normal((CELLS, 1, annotators))
    return noise[:, None, None] * generator.standard_normal((CELLS, seeds, annotators)) + scale[:, None, None] * added


def runs_of(score: Floats, generator: np.random.Generator, missing: float) -> Runs:
    cells, seeds, annotators = score.shape
    value = score.reshape(cells, -1)
    value = np.where(generator.random(value.shape) < missing, np.nan, value)
    seed, annotator = np.repeat(np.arange(seeds), annotators), np.tile(np.arange(annotators), seeds)
    return Runs(value=value, seed=seed, annotator=annotator, single=np.zeros(cells, np.bool_))


def false_and_found(studies: int, effect: float = 0.0, missing: float = 0.0, **design: Any) -> tuple[float, float]:
    """Shares of studies with a false verdict, and of those in which the cell with the effect is called better."""
    generator, wrong, found = np.random.default_rng(0), 0, 0
    for _ in range(studies):
        score = study(generator, **design)
        score[1] += effect
        tested = contrasts(runs_of(score, generator, missing), 0)
        significant = tested.adjusted < SIGNIFICANT
        wrong += bool(significant[2:].any() or (significant[1] and effect == 0))
        found += bool(significant[1] and tested.delta[1] > 0)
    return wrong / studies, found / studies


def pair_rates(pairs: int, seeds: int, annotators: int, of_seed: float, of_annotator: float) -> tuple[float, float]:
    """Shares of comparisons of two equal settings with p < .05: of `compare`, and of a t test over pairs of runs."""
    from scipy.stats import ttest_rel

    generator, wrong = np.random.default_rng(0), np.zeros(2)
    repeats = [(i, j) for i in range(seeds) for j in range(annotators)]
    for _ in range(pairs):
        both = study(generator, seeds, annotators, of_seed, of_annotator, "equal")[:2].reshape(2, -1)
        frames = [pd.DataFrame(repeats, columns=["seed", "annotator"]).assign(mAP=score) for score in both]
        wrong += np.array([compare(*frames).p, ttest_rel(*both).pvalue]) < SIGNIFICANT
    return float(wrong[0] / pairs), float(wrong[1] / pairs)


def table(studies: int) -> Iterator[str]:
    error = 100 * math.sqrt(0.05 * 0.95 / studies)
    yield f"False verdicts in % of {studies} studies (standard error where it is 5 %: {error:.1f})"
    heads = " ".join(f"{f'{seed:g}/{annotator:g}':>7}" for seed in EFFECTS for annotator in EFFECTS)
    yield f"{'repeats':<12} {'cells':<8} {'effects of seed/annotator:':<27} {heads}   power"
    for seeds, annotators, missing in [*((*layout, 0.0) for layout in LAYOUTS), (3, 3, MISSING)]:
        name = f"{seeds} x {annotators}" + (f" -{missing:.0%}" if missing else "")
        for kind in KINDS:
            design: dict[str, Any] = {"seeds": seeds, "annotators": annotators, "kind": kind}
            shares = []
            for of_seed in EFFECTS:
                for of_annotator in EFFECTS:
                    if annotators == 1 and of_annotator:
                        shares.append(f"{'–':>7}")
                        continue
                    design |= {"of_seed": of_seed, "of_annotator": of_annotator}
                    wrong, _ = false_and_found(studies, missing=missing, **design)
                    shares.append(f"{100 * wrong:7.1f}")
            power = ""
            if kind == "equal":
                design |= {"of_seed": 0.0, "of_annotator": 0.0}
                _, found = false_and_found(studies, 2.0, missing, **design)
                power = f"{100 * found:6.0f} %"
            yield f"{name:<12} {kind:<8} {'':27} {' '.join(shares)}  {power}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    studies = parser.parse_args().studies
    for line in table(studies):
        print(line, flush=True)
    print(f"\nTwo equal settings, p < .05 in % of {5 * studies}: compare (pairs as independent)")
    for seeds, annotators in LAYOUTS[:3]:
        shown = []
        for of_seed, of_annotator in ((0.0, 0.0), (0.0, 1.5), (0.7, 0.7), (1.5, 1.5)):
            ours, naive = pair_rates(5 * studies, seeds, annotators, of_seed, of_annotator)
            shown.append(f"{of_seed:g}/{of_annotator:g} {100 * ours:.1f} ({100 * naive:.0f})")
        print(f"{seeds} x {annotators}: {', '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
