"""Means with intervals, differences with verdicts, on frames of any length; what they rest on is in `uncertainty`."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import pandas as pd

from tal_search.results.uncertainty.components import Runs, components, squares, weights
from tal_search.results.uncertainty.contrasts import CONFIDENCE, LEAST_REPEATS, Contrasts, contrasts, quantile
from tal_search.results.uncertainty.families import SIGNIFICANT
from tal_search.results.uncertainty.model import Claim, modelled, run_variance
from tal_search.types import NO_ANNOTATOR, Floats, Ints

LOW, HIGH = " low", " high"  # end the names of columns that hold the 95 % interval of the column before them
METHOD = (
    "95 % intervals for new seeds and annotators (one annotator: for that one), variances shared between cells, "
    "intervals and verdicts with Dunnett's correction over all cells of the study"
)
SPREAD = "mean ± half its 95 % interval"
MOST_SEEDS = 100  # that are ever advised

Verdict = Literal["better", "worse", "within noise", "needs repeats"]


def means(values: pd.DataFrame, by: pd.Series[Any], repeats: pd.DataFrame, percent: Collection[str]) -> pd.DataFrame:
    """One row a group of `by`, in order of their first rows: `n`, rows of the group, and of each column its mean.

    NAME + LOW and NAME + HIGH are its 95 % interval for new seeds and annotators, none of it below 0 or, of `percent`
    columns, above 100; NaN with fewer than three values, or of one seed. repeats: `seed` and `annotator` of each row.
    """
    code_N, groups = pd.factorize(by)
    found: dict[str, Any] = {"n": np.bincount(code_N, minlength=len(groups))}
    for name in values.columns:
        mean, low, high = _intervals(runs_of(values[name], code_N, repeats))
        found[name] = mean
        found[name + LOW] = np.maximum(low, 0.0)
        found[name + HIGH] = np.minimum(high, 100.0) if name in percent else high
    return pd.DataFrame(found, index=pd.Index(groups, name=by.name))


def runs_of(values: pd.Series[float], cell_N: Ints, repeats: pd.DataFrame) -> Runs:
    """The values by cell, 0 to C − 1, and repeat; a repeat of which a cell has several counts by their mean."""
    seed_N, _ = pd.factorize(repeats["seed"])
    annotator_N, annotators = pd.factorize(repeats["annotator"])
    repeat_N, pair_R = pd.factorize(seed_N * max(1, len(annotators)) + annotator_N)
    seed_R, annotator_R = np.divmod(pair_R, max(1, len(annotators)))
    score_N = values.to_numpy(np.float64)
    known_N, shape = np.isfinite(score_N), (int(cell_N.max(initial=-1)) + 1, len(pair_R))
    place_N = cell_N[known_N] * shape[1] + repeat_N[known_N]
    total_CR = np.bincount(place_N, score_N[known_N], math.prod(shape)).reshape(shape)
    count_CR = np.bincount(place_N, minlength=math.prod(shape)).reshape(shape)
    unread_R = np.asarray(annotators == NO_ANNOTATOR)[annotator_R]
    with np.errstate(invalid="ignore"):
        return Runs(
            value=np.where(count_CR > 0, total_CR / count_CR, np.nan),
            seed=seed_R, annotator=annotator_R,
            single=np.asarray((count_CR[:, unread_R] > 0).any(1) & ~(count_CR[:, ~unread_R] > 0).any(1)),
        )  # fmt: skip


def _intervals(runs: Runs) -> tuple[Floats, Floats, Floats]:
    """Mean, low and high of each cell by its own runs alone: what they share with other cells is part of its spread."""
    n_C = runs.present.sum(1)
    share_CR = runs.present / np.maximum(n_C, 1)[:, None]
    mean_C = np.where(n_C > 0, np.nansum(share_CR * runs.value, 1), np.nan)
    found, share = squares(runs.value - mean_C[:, None], runs), weights(share_CR, runs)
    own = components(found)
    variance_C = own.variance(share)
    degrees_C = np.where(variance_C > 0, own.degrees(share), n_C - 1.0)
    known_C = (n_C >= LEAST_REPEATS) & (found.seed.df + found.rest.df > 0)
    half_C = np.full(len(n_C), np.nan)
    half_C[known_C] = np.sqrt(variance_C[known_C]) * quantile(degrees_C[known_C])
    return mean_C, mean_C - half_C, mean_C + half_C


def differences(rows: pd.DataFrame, score: str, centre: int | None, claim: Claim = "new annotators") -> pd.DataFrame:
    """Of every cell's `score` to the centre's, by cell; rows: `cell`, 0 to C − 1, `seed`, `annotator` and the score.

    `delta` over `pairs` common repeats with its LOW and HIGH; `p` of the two-sided test, `p adjusted` over all cells;
    `verdict`, and `needs`, what would decide it. NaN and "" where there is nothing to compare.
    """
    runs = runs_of(rows[score], rows["cell"].to_numpy(), rows)
    if centre is None or centre >= len(runs.value):
        count = len(runs.value)
        names = ("delta", "delta" + LOW, "delta" + HIGH, "p", "p adjusted", "seen", "within")
        nothing = dict.fromkeys(names, np.full(count, np.nan))
        return pd.DataFrame({**nothing, "pairs": 0, "verdict": "needs repeats", "needs": ""}, index=range(count))
    found, noise = contrasts(runs, centre, claim), floor(runs, centre, claim)[0]
    said, seeds = verdicts(found, noise), int((runs.present[centre] @ runs.of_seed > 0).sum())
    seen, within = seeds_needed(found, seeds, noise)
    return pd.DataFrame({
        "delta": found.delta, "delta" + LOW: found.low, "delta" + HIGH: found.high, "p": found.p,
        "p adjusted": found.adjusted, "pairs": found.pairs, "verdict": said, "needs": needs(found, seeds, said, noise),
        "seen": seen, "within": within,
    })  # fmt: skip


def verdicts(found: Contrasts, noise: float) -> list[Verdict]:
    """`better` or `worse` where the adjusted p is below 0.05, and the interval excludes 0; `within noise` where the
    whole interval lies inside ± `noise`, what two single runs of the centre differ by; else `needs repeats`.
    """
    significant, small = found.adjusted < SIGNIFICANT, np.maximum(np.abs(found.low), np.abs(found.high)) <= noise
    said = np.select(
        [significant & (found.delta > 0), significant, small], ["better", "worse", "within noise"], "needs repeats"
    )
    return said.tolist()  # type: ignore[no-any-return]


def needs(found: Contrasts, seeds: int, said: list[Verdict], noise: float) -> list[str]:
    """What would decide each cell that needs repeats, were its difference what it seems: "12 seeds", "more annotators".

    Whichever asks for less: that the difference is seen, or that it is seen to be within the noise.
    """
    words: list[str] = []
    columns = zip(said, found.pairs, found.error, *seeds_needed(found, seeds, noise), strict=True)
    for verdict, pairs, error, seen, within in columns:
        if verdict != "needs repeats":
            words.append("")
        elif math.isnan(error):
            words.append(f"{LEAST_REPEATS} seeds" if pairs else "repeats in common")
        else:
            words.append(need_words(min(seen, within)))
    return words


def seeds_needed(found: Contrasts, seeds: int, noise: float) -> tuple[Floats, Floats]:
    """Seeds, instead of `seeds`, at which each difference would be seen, and at which it would be within the noise.

    By Bonferroni's bound for as many cells. Infinite where the floor that annotators put under the spread, which seeds
    do not lower, is too high; NaN where nothing is known.
    """
    from scipy.special import ndtri

    bound = -ndtri((1 - CONFIDENCE) / 2 / max(1, int(np.isfinite(found.p).sum())))
    size = np.abs(found.delta)
    wanted = (size / bound, np.maximum(noise - size, 0.0) / bound)
    seen, within = (seeds_for(found.error**2, found.by_annotator, seeds, error**2) for error in wanted)
    return seen, within


def seeds_for(variance: Floats, by_annotator: Floats, seeds: int, wanted: Floats) -> Floats:
    """That bring variances of which seeds do not lower `by_annotator` down to `wanted`: more than there are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.ceil(seeds * (variance - by_annotator) / (wanted - by_annotator))
        return np.where(
            wanted > by_annotator, np.maximum(needed, seeds + 1), np.where(np.isnan(variance), np.nan, np.inf)
        )


def need_words(seeds: float) -> str:
    """ "12 seeds"; "more annotators" where no number of seeds is enough; "" for NaN, where nothing is needed."""
    if math.isnan(seeds):
        return ""
    if math.isinf(seeds):
        return "more annotators"
    return f"{seeds:.0f} seeds" if seeds <= MOST_SEEDS else f"more than {MOST_SEEDS} seeds"


def around(mean: float, low: float, high: float, digits: int = 1) -> str:
    """An interval as it stands behind its mean: " ± half", " [low, high]" where the unit's bounds cut it, or ""."""
    if math.isnan(low):
        return ""
    if math.isclose(high - mean, mean - low, rel_tol=1e-6, abs_tol=1e-9):
        return f" ± {high - mean:.{digits}f}"
    return f" [{low:.0f}, {high:.0f}]"


def middle_halves(values: pd.Series[float], by: pd.Series[Any]) -> pd.DataFrame:
    """One row a group of `by`: `n`, `mean`, and the quartiles `low` and `high`; without those where n < 3."""
    groups = values.groupby(by, sort=False)
    quartiles = {"low": groups.quantile(0.25), "high": groups.quantile(0.75)}
    found = groups.size().to_frame("n").assign(mean=groups.mean(), **quartiles)
    found.loc[found["n"] < LEAST_REPEATS, ["low", "high"]] = math.nan
    return found


def means_by_two(values: pd.Series[float], rows: pd.Series[Any], columns: pd.Series[Any]) -> pd.DataFrame:
    """The mean of each pair of values of `rows` and `columns`, in their order; NaN where there is none."""
    return values.groupby([rows, columns]).mean().unstack()


def floor(runs: Runs, centre: int, claim: Claim = "new annotators") -> tuple[float, int]:
    """How far apart two single runs of the centre are at most, 95 times in 100: 1.96 · √2 · sd (ISO 5725's
    repeatability), sd by `model.run_variance`; and how many runs tell. NaN where no cell that counts has two.
    """
    variance, count = run_variance(modelled(runs, centre, claim), centre)
    return 1.96 * math.sqrt(2 * variance), count


def deviation(values: pd.Series[float]) -> float:
    """The sample standard deviation; NaN where n < 2."""
    return float(values.std())


def pooled_deviation(values: pd.Series[float], by: pd.Series[Any]) -> float:
    """Within the groups of `by`: the root of the mean variance of those with two values or more, NaN without any."""
    variances = values.groupby(by).var().dropna()
    return math.sqrt(variances.mean()) if len(variances) else math.nan
