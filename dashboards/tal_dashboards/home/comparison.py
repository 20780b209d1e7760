"""Several studies side by side, each against its own centre: pure tables of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from tal_dashboards.home.cards import Standing
from tal_dashboards.style import number, value
from tal_search.results.axis_effects import EXTREMES
from tal_search.results.overview import Overview
from tal_search.results.statistics import HIGH, LOW, around

MOST_STUDIES = 6
ABSENT = "–"


class Comparison(NamedTuple):
    """studies: one row a study. axes: one row an axis and study, axes by the greatest effect in any study: `axis`,
    `symbol`, `study`, `there` (whether the study has the axis), and of a ranking `effect`, both EXTREMES, verdict and
    needs. curves: `axis`, `study`, and the columns of `Overview.curves`. noise: by study, in points, NaN where unknown.
    scores: what differences are of, by study.
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
        """The smallest and the greatest difference to be drawn, intervals and noise included; 0 lies between."""
        bounds = [self.axes[f"{end}{ending}"] for end in EXTREMES for ending in ("", LOW, HIGH)]
        bounds += [self.curves["delta" + ending] for ending in ("", LOW, HIGH)]
        limits = [limit for limit in self.noise.values() if not math.isnan(limit)]
        known = pd.concat([*bounds, pd.Series([0.0, *limits, *(-limit for limit in limits)])]).astype(float).dropna()
        return float(known.min()), float(known.max())


def comparison_info(found: Mapping[str, tuple[Standing, Overview]]) -> Comparison:
    """Of studies by name, in this order, with their results."""
    ranked = {name: results.ranking.set_index("name") for name, (_, results) in found.items()}
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
        for name, (_, results) in found.items()
    ]  # a case is one value, and no curve
    return Comparison(
        studies=pd.DataFrame([_study(name, *one) for name, one in found.items()]),
        axes=pd.DataFrame(rows, columns=[*COLUMNS]), curves=pd.concat(curves, ignore_index=True),
        noise={name: results.noise for name, (_, results) in found.items()},
        scores={name: results.score for name, (_, results) in found.items()},
    )  # fmt: skip


NUMBERS = ("effect", *(f"{end}{ending}" for end in EXTREMES for ending in ("", LOW, HIGH)))
COLUMNS = ("axis", "symbol", "study", "there", *NUMBERS, *(f"{end} at" for end in EXTREMES), "verdict", "needs")


def _row(axis: str, symbol: str, study: str, ranking: pd.DataFrame) -> dict[str, Any]:
    there = axis in ranking.index
    row: dict[str, Any] = {"axis": axis, "symbol": symbol, "study": study, "there": there}
    if not there:
        return row | dict.fromkeys(NUMBERS, math.nan) | dict.fromkeys(COLUMNS[-4:], "")
    mine: Mapping[Any, Any] = ranking.loc[axis].to_dict()
    return row | {name: float(mine[name]) for name in NUMBERS} | {name: mine[name] for name in COLUMNS[-4:]}


def _study(name: str, standing: Standing, results: Overview) -> dict[str, Any]:
    about = standing.about
    row: dict[str, Any] = {
        "study": name, "method": about.get("method", ABSENT), "data set": about.get("dataset", ABSENT),
        "simulated": about.get("source") == "simulated", "trials": standing.progress.done, "compared by": results.score,
    }  # fmt: skip
    for place, cell in (("centre", results.centre), ("best", results.best)):
        for column, key in (("", "mean"), (LOW, "low"), (HIGH, "high")):
            row[f"{place} (%){column}"] = math.nan if cell is None else cell[key]
    best = ABSENT if results.best is None else results.best["cell"]
    return row | {"best cell": best, "noise (points)": results.noise}


def comparison_tables(info: Comparison) -> dict[str, pd.DataFrame]:
    """What the page shows below its figures, with every number that they draw."""
    axes = pd.DataFrame({"axis": _names(info.axes), "study": info.axes["study"]})
    for end in EXTREMES:
        axes[f"{end} Δ (points)"] = [_difference(row, end) for row in info.axes.to_dict("records")]
    axes["effect (points)"] = [number(effect) for effect in info.axes["effect"]]
    for name in ("verdict", "needs"):
        axes[name] = [text or ABSENT for text in info.axes[name]]
    studies = info.studies.assign(**{"noise (points)": [number(one) for one in info.studies["noise (points)"]]})
    return {"studies": studies, "axes": axes}


def _names(axes: pd.DataFrame) -> list[str]:
    return [axis_words(axis, symbol) for axis, symbol in zip(axes["axis"], axes["symbol"], strict=True)]


def axis_words(axis: str, symbol: str) -> str:
    return f"{symbol} ({axis})" if symbol and symbol != axis else axis


def _difference(row: Mapping[Any, Any], end: str) -> str:
    """ "−12.7 ± 2.1 at 1", "–" of a study without the axis."""
    mean, low, high = (float(row[end + ending]) for ending in ("", LOW, HIGH))
    if math.isnan(mean):
        return ABSENT
    at = row[f"{end} at"]
    place = "" if at is None or at == row["axis"] else f" at {value(at)}"
    return f"{number(mean, 1, '+')}{around(mean, low, high)}{place}"


def chosen_studies(names: Sequence[str], present: Sequence[str]) -> tuple[list[str], str]:
    """Those of the names that are studies, at most MOST_STUDIES, and the sentence of what is wrong with the rest."""
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
