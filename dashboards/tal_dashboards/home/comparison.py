"""Comparison of several studies, each with its own centre: the numbers, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from tal_dashboards.data.reader import label_of, methods_of
from tal_dashboards.home.cards import Standing
from tal_dashboards.style import number, value
from tal_search.results.axis_effects import EXTREMES
from tal_search.results.overview import Overview
from tal_search.results.statistics import HIGH, LOW
from tal_search.text.words import around

MOST_STUDIES = 6
ABSENT = "–"


class Comparison(NamedTuple):
    """studies: one row per study. axes: one row per axis and study, axes sorted by their greatest effect in any study:
    `axis`, `symbol`, `study`, `there` (whether the study has the axis), and from the ranking `effect`, both EXTREMES,
    `verdict` and `needs`. curves: `axis`, `study` and the columns of `Overview.curves`. noise: noise floor by study in
    points, NaN where unknown. scores: by study, the score that differences refer to.
    """

    studies: pd.DataFrame
    axes: pd.DataFrame
    curves: pd.DataFrame
    noise: dict[str, float]
    scores: dict[str, str]

    @property
    def names(self) -> list[str]:
        return list(self.noise)

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the greatest difference in the figures, with intervals, noise and zero."""
        bounds = [self.axes[f"{end}{ending}"] for end in EXTREMES for ending in ("", LOW, HIGH)]
        bounds += [self.curves["delta" + ending] for ending in ("", LOW, HIGH)]
        limits = [limit for limit in self.noise.values() if not math.isnan(limit)]
        known = pd.concat([*bounds, pd.Series([0.0, *limits, *(-limit for limit in limits)])]).astype(float).dropna()
        return float(known.min()), float(known.max())


def comparison_info(loaded: Mapping[str, tuple[Standing, Overview]]) -> Comparison:
    """Compare studies, given by name in the order they are shown."""
    ranked = {name: results.ranking.set_index("name") for name, (_, results) in loaded.items()}
    effects: dict[str, float] = {}
    for ranking in ranked.values():
        for axis, effect in ranking["effect"].items():
            effects[str(axis)] = max(effects.get(str(axis), 0.0), 0.0 if math.isnan(effect) else abs(float(effect)))
    order = sorted(effects, key=lambda axis: -effects[axis])
    symbols = {str(axis): str(symbol) for ranking in ranked.values() for axis, symbol in ranking["symbol"].items()}
    rows = [_row(axis, symbols[axis], name, ranking) for axis in order for name, ranking in ranked.items()]
    curves = [
        results.curves.rename(columns={"name": "axis"})[[results.rows != "case"] * len(results.curves)].assign(
            study=name
        )
        for name, (_, results) in loaded.items()
    ]  # a case has only one value, so no curve
    return Comparison(
        studies=pd.DataFrame([_study(name, *parts) for name, parts in loaded.items()]),
        axes=pd.DataFrame(rows, columns=[*COLUMNS]), curves=pd.concat(curves, ignore_index=True),
        noise={name: results.noise for name, (_, results) in loaded.items()},
        scores={name: results.score for name, (_, results) in loaded.items()},
    )  # fmt: skip


NUMBERS = ("effect", *(f"{end}{ending}" for end in EXTREMES for ending in ("", LOW, HIGH)))
COLUMNS = ("axis", "symbol", "study", "there", *NUMBERS, *(f"{end} at" for end in EXTREMES), "verdict", "needs")


def _row(axis: str, symbol: str, study: str, ranking: pd.DataFrame) -> dict[str, object]:
    there = axis in ranking.index
    row: dict[str, object] = {"axis": axis, "symbol": symbol, "study": study, "there": there}
    if not there:
        return row | dict.fromkeys(NUMBERS, math.nan) | dict.fromkeys(COLUMNS[-4:], "")
    mine = ranking.loc[[axis]].iloc[0]
    return row | {name: float(mine[name]) for name in NUMBERS} | {name: mine[name] for name in COLUMNS[-4:]}


def _study(name: str, standing: Standing, results: Overview) -> dict[str, object]:
    about = standing.about
    row: dict[str, object] = {
        "study": name, "method": methods_of(about) or ABSENT, "data set": about.get("dataset", ABSENT),
        "simulated": label_of(about), "trials": standing.progress.done, "compared by": results.score,
    }  # fmt: skip
    for place, cell in (("centre", results.centre), ("best", results.best)):
        for column, key in (("", "mean"), (LOW, "low"), (HIGH, "high")):
            row[f"{place} (%){column}"] = math.nan if cell is None else cell[key]
    best = ABSENT if results.best is None else results.best["cell"]
    return row | {"best cell": best, "noise (points)": results.noise}


def comparison_tables(info: Comparison) -> dict[str, pd.DataFrame]:
    """The tables below the figures, with every number of the figures."""
    axes = pd.DataFrame({"axis": _names(info.axes), "study": info.axes["study"]})
    for end in EXTREMES:
        axes[f"{end} Δ (points)"] = [_difference(row, end) for _, row in info.axes.iterrows()]
    axes["effect (points)"] = [number(effect) for effect in info.axes["effect"]]
    for name in ("verdict", "needs"):
        axes[name] = [text or ABSENT for text in info.axes[name]]
    studies = info.studies.assign(**{"noise (points)": [number(noise) for noise in info.studies["noise (points)"]]})
    return {"studies": studies, "axes": axes}


def _names(axes: pd.DataFrame) -> list[str]:
    return [axis_words(axis, symbol) for axis, symbol in zip(axes["axis"], axes["symbol"], strict=True)]


def axis_words(axis: str, symbol: str) -> str:
    """ "h (kernel_size)", or the name alone."""
    return f"{symbol} ({axis})" if symbol and symbol != axis else axis


def _difference(row: pd.Series, end: str) -> str:
    """ "−12.7 ± 2.1 at 1", "–" for a study without the axis."""
    mean, low, high = (float(row[end + ending]) for ending in ("", LOW, HIGH))
    if math.isnan(mean):
        return ABSENT
    at = row[f"{end} at"]
    place = "" if at is None or at == row["axis"] else f" at {value(at)}"
    return f"{number(mean, 1, '+')}{around(mean, low, high)}{place}"


def chosen_studies(names: Sequence[str], present: Sequence[str]) -> tuple[list[str], str]:
    """The first MOST_STUDIES of the names that are studies, and a message about the others, "" if there are none."""
    wanted = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    known = [name for name in wanted if name in present]
    unknown = [name for name in wanted if name not in present]
    problem = ""
    if unknown:
        few = f"studies there: {', '.join(present[:20])}" if present else "no study was run yet"
        problem = f"There is no study {' and no study '.join(name[:80] for name in unknown[:5])}; {few}."
    elif len(known) > MOST_STUDIES:
        problem = f"At most {MOST_STUDIES} studies are compared at once; the first of the {len(known)} are shown."
    return known[:MOST_STUDIES], problem
