"""Overview of a study: which axes matter, by how much, whether that is more than noise, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tal_search.results.axis_effects import (
    ENDS,
    EXTREMES,
    MATTERS,
    NEEDS_REPEATS,
    WITHIN_NOISE,
    axis_effects,
    value_effects,
)
from tal_search.results.cell_table import cells, published, records
from tal_search.results.next_runs import NextRun, next_runs, next_steps
from tal_search.results.noise import noise
from tal_search.results.ranking import best_first, selected_by
from tal_search.results.search.forest import unfitted
from tal_search.results.search.marginal_ranking import LIKELY, UNCLEAR, marginal_ranking
from tal_search.results.sensitivity import PAPER_TIOU
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame, code_note
from tal_search.text.words import around
from tal_search.types import CASE, cell_words, written, written_axis

BEYOND = 1.6  # intervals are cut off at this multiple of the longest bar
RANKING = ["name", "symbol", "values", "effect", *ENDS, "best", "p", "p adjusted", "verdict", "needs"]
CURVES = [
    "name", "value", "centre", "n", "mean", "mean" + LOW, "mean" + HIGH, "delta", "delta" + LOW, "delta" + HIGH,
    "verdict", "paper", "paper selection",
]  # fmt: skip


class Overview(NamedTuple):
    """score: the name of the score, such as "mAP@0.5"; rows: what a row of `ranking` is: "axis", "case" or "marginal".

    ranking: one row per axis, the greatest effect first, with columns RANKING: `effect`, the range of mean mAP over the
    values; `lowest` and `highest`, the differences of the worst and the best value to the centre, each with its
    corrected interval and ` at`, the value; `best`, the value chosen on held-out videos if any; `verdict`, `needs`. For
    cases: one row per case, the best first, with its difference to the reference in `effect`, `lowest` and `highest`.
    For a sampler: the marginal effects of a forest on the objective, see `search.marginal_ranking`. note: why there is
    no ranking, and how folds are scored.

    curves: one row per value, with columns CURVES: mean mAP and difference, each with its interval; `paper`, the
    published cell. noise: the noise floor (`noise.noise`). best and centre: `cell`, `n`, `mean`, `low`, `high`;
    best_by: the column that selected it. next: see `next_runs`. mAP in percent, differences in points; NaN if unknown.
    """

    score: str
    rows: str
    ranking: pd.DataFrame
    curves: pd.DataFrame
    noise: float
    best: dict[str, Any] | None
    best_by: str
    centre: dict[str, Any] | None
    next: tuple[NextRun, ...]
    note: str

    @property
    def undecided(self) -> dict[str, str]:
        """The repeats that each row with the verdict "needs repeats" needs, by its name."""
        left = self.ranking[self.ranking["verdict"] == NEEDS_REPEATS]
        return {str(name): str(words) for name, words in zip(left["name"], left["needs"], strict=True)}

    @property
    def steps(self) -> list[tuple[str, str]]:
        """What to run next: sentences with their commands, see `next_runs.next_steps`."""
        return next_steps(self.next, self.undecided)

    @property
    def matters(self) -> list[str]:
        """Names of the rows with an effect beyond noise."""
        known = self.ranking["verdict"].isin([MATTERS, "better", "worse"])
        return [str(name) for name in self.ranking.loc[known, "name"]]


@lru_cache(maxsize=4)
def overview(data: StudyFrame) -> Overview:
    """The overview of a study, which may have no trials."""
    rows = {"cases": "case", "sampler": "marginal"}.get(data.plan, "axis")
    ranking, curves = {"case": _of_cases, "marginal": marginal_ranking, "axis": _of_axes}[rows](data)
    score = selected_by(data) if rows == "marginal" else data.score
    wanted = ranking[ranking["verdict"] == NEEDS_REPEATS].set_index("name")["seeds"].dropna()
    ranked, table = best_first(data), cells(data)
    centre = table.index[table["centre"] & (table["n"] > 0)]
    return Overview(
        score=f"held-out {data.score}" if score == "holdout" else score,
        rows=rows,
        ranking=ranking[RANKING], curves=curves[CURVES],
        noise=noise(data, score), best=_cell(data, ranked[0], score) if ranked else None, best_by=selected_by(data),
        centre=_cell(data, int(centre[0]), score) if len(centre) else None,
        note=" ".join(filter(None, (_note(data, rows, ranking), code_note(data)))),
        next=next_runs(data, {str(name): float(seeds) for name, seeds in wanted.items()}),
    )  # fmt: skip


def _note(data: StudyFrame, rows: str, ranking: pd.DataFrame) -> str:
    if rows != "axis":
        return unfitted(data) if rows == "marginal" else ""
    missing = [symbol for axis, symbol in data.axes.items() if axis not in set(ranking["name"])]
    return f"Not known yet, as no trial of it is finished: {', '.join(missing)}." if missing and len(data.done) else ""


def _cell(data: StudyFrame, place: int, score: str) -> dict[str, Any]:
    (row,) = records(cells(data).loc[[place]], list(cells(data).columns))
    return {
        "cell": cell_words({axis: row[axis] for axis in data.axes}, data.centre), "n": int(row["n"]),
        "mean": float(row[score]), "low": float(row[score + LOW]), "high": float(row[score + HIGH]),
    }  # fmt: skip


def _of_axes(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    curves = value_effects(data).rename(columns={"axis": "name"})
    pairs = zip(curves["name"], curves["value"], strict=True)
    curves = _with_papers(data, curves, [{**data.centre, name: value} for name, value in pairs])
    return axis_effects(data).rename(columns={"axis": "name"}), curves


def _with_papers(data: StudyFrame, curves: pd.DataFrame, rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    papers = [published(data, cell) for cell in rows]
    scores = [paper.mAP.get(PAPER_TIOU, math.nan) for paper in papers]
    return curves.assign(paper=scores, **{"paper selection": [paper.selection for paper in papers]})


def _of_cases(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = cells(data)
    mean = {data.score + ending: "mean" + ending for ending in ("", LOW, HIGH)}
    curves = table.assign(name=table[CASE], value=table[CASE], **{to: table[name] for name, to in mean.items()})
    curves = _with_papers(data, curves, records(table, [CASE]))
    curves = curves.sort_values(CASE, key=lambda names: names.map(list(data.cases).index), kind="stable")
    ranking = curves[~curves["centre"] & (curves["n"] > 0)].assign(
        symbol="", values=1, effect=lambda rows: rows["delta"], best=lambda rows: rows["value"]
    )
    for end in EXTREMES:
        for suffix in ("", LOW, HIGH):
            ranking[end + suffix] = ranking["delta" + suffix]
        ranking[end + " at"] = ranking["value"]
    seeds = ranking[["seen", "within"]].min(axis=1).fillna(data.least_seeds).clip(lower=data.seeds_floor)
    return ranking.assign(seeds=seeds).sort_values("effect", ascending=False, kind="stable", ignore_index=True), curves


def reach(summary: Overview) -> tuple[float, float]:
    """The limits of a plot of differences: they include all bars, the noise floor, and intervals up to BEYOND, because
    one interval of three hundred points would hide all others.
    """
    noise_floor = 0.0 if math.isnan(summary.noise) else summary.noise
    bars = [*summary.ranking["lowest"], *summary.ranking["highest"], -noise_floor, noise_floor]
    most = BEYOND * max(0.5, *map(abs, bars))
    ends = pd.concat([summary.ranking["lowest" + LOW], summary.ranking["highest" + HIGH]]).dropna().clip(-most, most)
    low, high = min(*bars, *ends), max(*bars, *ends)
    room = 0.03 * (high - low) or 0.5
    return low - room, high + room


def ranking_table(summary: Overview) -> pd.DataFrame:
    """The ranking as shown in every table; values are written as in a study file."""
    table = summary.ranking
    of_axes = summary.curves.groupby("name", sort=False)["value"]
    words, values = of_axes.agg(written_axis), of_axes.agg(list)
    best = [
        next((word for word, value in zip(words[name], values[name], strict=True) if value == chosen), written(chosen))
        for name, chosen in zip(table["name"], table["best"], strict=True)
    ]
    leaky = "" if summary.best_by == "holdout" else " (on test, leaky)"
    shown = EXTREMES[1:] if summary.rows == "case" else EXTREMES  # for a case both are the same
    ends = {f"{end} Δ (%){suffix}": table[end + suffix].astype(float) for end in shown for suffix in ("", LOW, HIGH)}
    symbols = zip(table["symbol"], table["name"], strict=True)
    names = [f"{symbol} ({name})" if symbol else str(name) for symbol, name in symbols]
    return pd.DataFrame({
        "case" if summary.rows == "case" else "axis": names,
        "effect (%)": table["effect"].astype(float), **ends,
        **({} if summary.rows == "case" else {f"best{leaky}": best}),
        "p": table["p adjusted"].astype(float), "verdict": table["verdict"], "needs": table["needs"],
    })  # fmt: skip


def answer(summary: Overview) -> list[str]:
    """The overview in sentences: what matters, what does not, what is not known yet, and the best cell."""
    table = summary.ranking
    label = dict(zip(table["name"], table["symbol"], strict=True))
    names = {
        verdict: [label[name] or str(name) for name in table.loc[table["verdict"] == verdict, "name"]]
        for verdict in (MATTERS, LIKELY, "better", "worse", WITHIN_NOISE, NEEDS_REPEATS, UNCLEAR)
    }
    than = " than the reference" if summary.rows == "case" else ""
    sentences = [
        _sentence(names[MATTERS], "matters", "matter"),
        _sentence(names[LIKELY], LIKELY, "likely matter"),
        _sentence(names["better"], f"is better{than}", f"are better{than}"),
        _sentence(names["worse"], f"is worse{than}", f"are worse{than}"),
        _sentence(names[WITHIN_NOISE], "is within noise", "are within noise"),
        _sentence(names[NEEDS_REPEATS], "needs repeats", "need repeats"),
        _sentence(names[UNCLEAR], "is unclear", "are unclear"),
    ]
    text = " ".join(filter(None, sentences))
    return [*filter(None, (text, summary.note)), *_best_sentence(summary)]


def _sentence(names: list[str], singular: str, plural: str) -> str:
    if not names:
        return ""
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"{listed} {plural if len(names) > 1 else singular}."


def _best_sentence(summary: Overview) -> list[str]:
    if (best := summary.best) is None:
        return []
    centre, how = summary.centre, "" if summary.best_by == "holdout" else ", chosen on test (leaky)"
    title = "Highest mean" if best["n"] > 1 else "Highest of single runs"
    role, itself = ("reference", f", {best['cell']}") if summary.rows == "case" else ("centre", " itself")
    where = f"the {role}{itself}" if centre and centre["cell"] == best["cell"] else best["cell"]
    beside = f"; {role} {_spread(centre)}" if centre and centre["cell"] != best["cell"] else ""
    return [f"{title}{how}: {where}, {summary.score} {_spread(best)} %{beside}."]


def _spread(cell: Mapping[str, float]) -> str:
    return f"{cell['mean']:.1f}{around(cell['mean'], cell['low'], cell['high'])}"


def as_json(summary: Overview) -> dict[str, object]:
    """The overview as plain JSON values, with unrounded numbers and null for unknown ones."""
    tables = {"ranking": summary.ranking, "curves": summary.curves}
    return {
        "score": summary.score, "unit": "percent", "rows": summary.rows, "answer": answer(summary),
        "noise floor": _plain(summary.noise), "best": _plain(summary.best), "best by": summary.best_by,
        "centre": _plain(summary.centre),
        **{name: [_plain(row) for row in records(table, list(table.columns))] for name, table in tables.items()},
        "next": [_plain(step._asdict()) for step in summary.next],
    }  # fmt: skip


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
