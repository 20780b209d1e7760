"""Means with intervals and differences with verdicts, from frames; the estimation is in `uncertainty`."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal

import numpy as np
import pandas as pd

from tal_search.results.uncertainty import subjects
from tal_search.results.uncertainty.components import components, squares, weights
from tal_search.results.uncertainty.contrasts import (
    CONFIDENCE,
    LEAST_REPEATS,
    Contrasts,
    Family,
    contrasts,
    quantile,
    subject_contrasts,
    untested,
)
from tal_search.results.uncertainty.families import SIGNIFICANT
from tal_search.results.uncertainty.model import Claim, modelled, run_variance
from tal_search.results.uncertainty.runs import Runs
from tal_search.types import NO_ANNOTATOR, Floats, Ints

LOW, HIGH = " low", " high"  # suffixes of the columns with the 95 % interval of another column
MORE_ANNOTATORS, MORE_SUBJECTS = "more annotators", "more subjects"
SAMPLED = "95 % intervals for new seeds and annotators (one annotator: for that one), variances shared between cells"
CORRECTED: dict[Family, str] = {
    "one centre": "intervals and verdicts with Dunnett's correction over all cells of the study",
    "all pairs": "differences and verdicts with Tukey's correction over all pairs of cells of the study",
}
METHOD = f"{SAMPLED}, {CORRECTED['one centre']}"
SPREAD = "mean ± half its 95 % interval"
MOST_SEEDS = 100  # most seeds that are ever recommended


def repeat_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of a frame of runs that `means` needs of each repeat."""
    return rows[[name for name in ("seed", "annotator", subjects.COLUMN) if name in rows]]


Verdict = Literal["better", "worse", "within noise", "needs repeats"]


def means(values: pd.DataFrame, by: pd.Series, repeats: pd.DataFrame, percent: Collection[str]) -> pd.DataFrame:
    """One row per group of `by`, in order of first rows: `n`, the number of rows, and the mean of each column.

    NAME + LOW and NAME + HIGH are its 95 % interval for new seeds and annotators, cut off at 0 and, in `percent`
    columns, at 100; NaN with fewer than three values, or one seed. repeats: `seed` and `annotator` of each row. Where
    it has `draws`, the intervals of scores are those over subjects (see `uncertainty.subjects`).
    """
    code_N, groups = pd.factorize(by)
    columns: dict[str, Floats | Ints] = {"n": np.bincount(code_N, minlength=len(groups))}
    for name in values.columns:
        runs, drawn = runs_of(values[name], code_N, repeats), subjects.drawn_scores(repeats, str(name))
        mean, low, high = _intervals(runs, drawn and subjects.of_means(code_N, *drawn))
        columns[name] = mean
        columns[name + LOW] = np.maximum(low, 0.0)
        columns[name + HIGH] = np.minimum(high, 100.0) if name in percent else high
    return pd.DataFrame(columns, index=pd.Index(groups, name=by.name))


def runs_of(values: pd.Series[float], cell_N: Ints, repeats: pd.DataFrame) -> Runs:
    """The values by cell (0 to C − 1) and repeat; several values of one cell and repeat are averaged."""
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


def _intervals(runs: Runs, over_subjects: tuple[Floats, float] | None = None) -> tuple[Floats, Floats, Floats]:
    """Mean, low and high of each cell from its own runs, so that effects of repeats on all cells are included.

    over_subjects: variance [C] of the means over the subjects of folds, with its degrees of freedom.
    """
    n_C = runs.present.sum(1)
    share_CR = runs.present / np.maximum(n_C, 1)[:, None]
    mean_C = np.where(n_C > 0, np.nansum(share_CR * runs.value, 1), np.nan)
    of_cells, share = squares(runs.value - mean_C[:, None], runs), weights(share_CR, runs)
    own = components(of_cells)
    variance_C = own.variance(share)
    degrees_C = np.where(variance_C > 0, own.degrees(share), n_C - 1.0)
    known_C = of_cells.seed.df + of_cells.rest.df > 0
    if over_subjects is None:
        known_C &= n_C >= LEAST_REPEATS
    else:
        variance_C, degrees_C = subjects.combined(*over_subjects, variance_C, np.where(known_C, degrees_C, 0.0))
        known_C = degrees_C > 0
    half_C = np.full(len(n_C), np.nan)
    half_C[known_C] = np.sqrt(variance_C[known_C]) * quantile(degrees_C[known_C])
    return mean_C, mean_C - half_C, mean_C + half_C


def differences(
    rows: pd.DataFrame, score: str, centre: int | None, claim: Claim = "new annotators", family: Family = "one centre"
) -> pd.DataFrame:
    """Differences of every cell's `score` to the centre's; rows: `cell` (0 to C − 1), `seed`, `annotator`, the score.

    One row per cell: `delta` over `pairs` common repeats with its LOW and HIGH; `p` of the two-sided test, `p adjusted`
    over all cells; `verdict`, and `needs`, what would decide it. NaN and "" without anything to compare.
    """
    runs, drawn = runs_of(rows[score], rows["cell"].to_numpy(), rows), subjects.drawn_scores(rows, score)
    if centre is None or centre >= len(runs.value):
        count = len(runs.value)
        names = ("delta", "delta" + LOW, "delta" + HIGH, "p", "p adjusted", "seen", "within")
        nothing = dict.fromkeys(names, np.full(count, np.nan))
        return pd.DataFrame({**nothing, "pairs": 0, "verdict": "needs repeats", "needs": ""}, index=range(count))
    noise = floor(runs, centre, claim)[0]
    if drawn is None:
        contrast = contrasts(runs, centre, claim, family)
    else:
        place = runs_of(pd.Series(np.arange(len(rows)), index=rows.index), rows["cell"].to_numpy(), rows).value
        contrast = subject_contrasts(runs, centre, place, *drawn, family)
        if subjects.shares_fits(rows) and rows["seed"].nunique() < LEAST_REPEATS:
            contrast = untested(contrast)
    beyond = MORE_ANNOTATORS if drawn is None else MORE_SUBJECTS
    verdict, seeds = verdicts(contrast, noise), int((runs.present[centre] @ runs.of_seed > 0).sum())
    seen, within = seeds_needed(contrast, seeds, noise)
    return pd.DataFrame({
        "delta": contrast.delta, "delta" + LOW: contrast.low, "delta" + HIGH: contrast.high, "p": contrast.p,
        "p adjusted": contrast.adjusted, "pairs": contrast.pairs, "verdict": verdict,
        "needs": needs(contrast, seeds, verdict, noise, beyond), "seen": seen, "within": within,
    })  # fmt: skip


def verdicts(contrast: Contrasts, noise: float) -> list[Verdict]:
    """`better` or `worse` if the adjusted p is below 0.05 (the interval then excludes 0); `within noise` if the whole
    interval lies inside ± `noise`, the noise floor of two single runs of the centre; else `needs repeats`.
    """
    significant = contrast.adjusted < SIGNIFICANT
    small = np.maximum(np.abs(contrast.low), np.abs(contrast.high)) <= noise
    verdict = np.select(
        [significant & (contrast.delta > 0), significant, small], ["better", "worse", "within noise"], "needs repeats"
    )
    return verdict.tolist()  # type: ignore[no-any-return]


def needs(
    contrast: Contrasts, seeds: int, verdict: list[Verdict], noise: float, beyond: str = MORE_ANNOTATORS
) -> list[str]:
    """Repeats that would decide each cell that needs them, if its difference stays: "12 seeds", "more annotators".

    beyond: what is needed where no number of seeds is enough. Else the smaller number of two: until the difference is
    significant, or until it is shown to be within the noise.
    """
    words: list[str] = []
    columns = zip(
        verdict, contrast.pairs, contrast.p, contrast.error, *seeds_needed(contrast, seeds, noise), strict=True
    )
    for decided, pairs, p, error, seen, within in columns:
        if decided != "needs repeats":
            words.append("")
        elif math.isnan(p):
            least = beyond if math.isnan(error) and beyond == MORE_SUBJECTS else f"{LEAST_REPEATS} seeds"
            words.append(least if pairs else "repeats in common")
        else:
            words.append(need_words(min(seen, within), beyond))
    return words


def seeds_needed(contrast: Contrasts, seeds: int, noise: float) -> tuple[Floats, Floats]:
    """Total seeds, now `seeds`, at which each difference would be significant, and at which it would be within noise.

    By Bonferroni's bound for the number of comparisons. Infinite if the variance between annotators, which seeds do not
    reduce, is too high; NaN if nothing is known.
    """
    from scipy.special import ndtri

    tested = max(1, int(contrast.compared.max(initial=0)), int(np.isfinite(contrast.p).sum()))
    bound = -ndtri((1 - CONFIDENCE) / 2 / tested)
    size = np.abs(contrast.delta)
    target = (size / bound, np.maximum(noise - size, 0.0) / bound)
    seen, within = (seeds_for(contrast.error**2, contrast.by_annotator, seeds, error**2) for error in target)
    return seen, within


def seeds_for(variance: Floats, by_annotator: Floats, seeds: int, target: Floats) -> Floats:
    """Seeds, more than now, that reduce `variance` to `target`; its part `by_annotator` does not depend on seeds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.ceil(seeds * (variance - by_annotator) / (target - by_annotator))
        return np.where(
            target > by_annotator, np.maximum(needed, seeds + 1), np.where(np.isnan(variance), np.nan, np.inf)
        )


def need_words(seeds: float, beyond: str = MORE_ANNOTATORS) -> str:
    """ "12 seeds"; `beyond` if no number of seeds is enough; "" for NaN, if nothing is needed."""
    if math.isnan(seeds):
        return ""
    if math.isinf(seeds):
        return beyond
    return f"{seeds:.0f} seeds" if seeds <= MOST_SEEDS else f"more than {MOST_SEEDS} seeds"


def middle_halves(values: pd.Series[float], by: pd.Series) -> pd.DataFrame:
    """One row per group of `by`: `n`, `mean`, and the quartiles `low` and `high`, NaN if n < 3."""
    groups = values.groupby(by, sort=False)
    quartiles = {"low": groups.quantile(0.25), "high": groups.quantile(0.75)}
    table = groups.size().to_frame("n").assign(mean=groups.mean(), **quartiles)
    table.loc[table["n"] < LEAST_REPEATS, ["low", "high"]] = math.nan
    return table


def means_by_two(values: pd.Series[float], rows: pd.Series, columns: pd.Series) -> pd.DataFrame:
    """The mean of each pair of values of `rows` and `columns`, in their order; NaN for missing pairs."""
    return values.groupby([rows, columns]).mean().unstack()


def floor(runs: Runs, centre: int, claim: Claim = "new annotators") -> tuple[float, int]:
    """Noise floor: the difference that two single runs of the centre stay below 95 times in 100, and the number of runs
    it is estimated from. 1.96 · √2 · sd (ISO 5725's repeatability), sd by `model.run_variance`; NaN if that is unknown.
    """
    variance, count = run_variance(modelled(runs, centre, claim), centre)
    return 1.96 * math.sqrt(2 * variance), count


def deviation(values: pd.Series[float]) -> float:
    """The sample standard deviation; NaN if n < 2."""
    return float(values.std())


def pooled_deviation(values: pd.Series[float], by: pd.Series) -> float:
    """Standard deviation within the groups of `by`: root mean variance of groups of two or more; NaN without any."""
    variances = values.groupby(by).var().dropna()
    return math.sqrt(variances.mean()) if len(variances) else math.nan
