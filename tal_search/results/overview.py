"""The answer on one screen: which axes matter, by how much, whether that is more than noise, and what to run next."""

from __future__ import annotations

import math
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
from tal_search.results.statistics import HIGH, LOW, around
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.contrasts import LEAST_REPEATS
from tal_search.types import CASE, cell_words, written, written_axis

BEYOND = 1.6  # times the longest bar: where an interval that is wider is cut
RANKING = ["name", "symbol", "values", "effect", *ENDS, "best", "p", "p adjusted", "verdict", "needs"]
CURVES = [
    "name", "value", "centre", "n", "mean", "mean" + LOW, "mean" + HIGH, "delta", "delta" + LOW, "delta" + HIGH,
    "verdict", "paper", "paper selection",
]  # fmt: skip


class Overview(NamedTuple):
    """score: what all numbers are of, "mAP@0.5"; rows: what a row of `ranking` is, "axis", "case" or "marginal".

    ranking: one row an axis, the greatest effect first, with RANKING: `effect`, the range of mean mAP over the values;
    `lowest` and `highest`, the differences of the worst and of the best value to the centre, each with its corrected
    interval and ` at`, the value; `best`, by held-out videos where there are any; `verdict` and `needs`. Of cases: one
    row a case, the best first, whose difference to the reference is `effect`, `lowest` and `highest`. Of a sampler: the
    marginal effects of a forest on what the search maximizes, see `search.marginal_ranking`. note: why there is no
    ranking.

    curves: one row a value, with CURVES: mean mAP and difference, each with its interval; `paper`, the published cell.
    noise: the noise floor (`noise.noise`). best and centre: `cell`, `n`, `mean`, `low`, `high`; best_by: the column
    that chose it. next: see `next_runs`. mAP in percent, differences in points; NaN where there is no number.
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
        """What each row that needs repeats needs, by its name."""
        left = self.ranking[self.ranking["verdict"] == NEEDS_REPEATS]
        return {str(name): str(words) for name, words in zip(left["name"], left["needs"], strict=True)}

    @property
    def steps(self) -> list[tuple[str, str]]:
        """What to run next: a sentence and its command each, see `next_runs.next_steps`."""
        return next_steps(self.next, self.undecided)

    @property
    def matters(self) -> list[str]:
        """Names of the rows that are decided, and are more than noise."""
        known = self.ranking["verdict"].isin([MATTERS, "better", "worse"])
        return [str(name) for name in self.ranking.loc[known, "name"]]


@lru_cache(maxsize=4)
def overview(data: StudyFrame) -> Overview:
    """Of a study with any trials, or none."""
    rows = {"cases": "case", "sampler": "marginal"}.get(data.plan, "axis")
    ranking, curves = {"case": _of_cases, "marginal": marginal_ranking, "axis": _of_axes}[rows](data)
    score = selected_by(data) if rows == "marginal" else data.score
    wanted = ranking[ranking["verdict"] == NEEDS_REPEATS].set_index("name")["seeds"].dropna()
    ranked, found = best_first(data), cells(data)
    centre = found.index[found["centre"] & (found["n"] > 0)]
    return Overview(
        score=f"held-out {data.score}" if score == "holdout" else score,
        rows=rows,
        ranking=ranking[RANKING], curves=curves[CURVES],
        noise=noise(data, score), best=_cell(data, ranked[0], score) if ranked else None, best_by=selected_by(data),
        centre=_cell(data, int(centre[0]), score) if len(centre) else None,
        note=unfitted(data) if rows == "marginal" else _not_run(data, ranking) if rows == "axis" else "",
        next=next_runs(data, {str(name): float(seeds) for name, seeds in wanted.items()}),
    )  # fmt: skip


def _not_run(data: StudyFrame, ranking: pd.DataFrame) -> str:
    """Axes that no row speaks of yet."""
    missing = [symbol for axis, symbol in data.axes.items() if axis not in set(ranking["name"])]
    return f"Not known yet, as no trial of it is finished: {', '.join(missing)}." if missing and len(data.done) else ""


def _cell(data: StudyFrame, place: int, score: str) -> dict[str, Any]:
    row: dict[Any, Any] = cells(data).loc[place].to_dict()
    return {
        "cell": cell_words({axis: row[axis] for axis in data.axes}, data.centre), "n": int(row["n"]),
        "mean": float(row[score]), "low": float(row[score + LOW]), "high": float(row[score + HIGH]),
    }  # fmt: skip


def _of_axes(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    curves = value_effects(data).rename(columns={"axis": "name"})
    papers = [
        published(data, {**data.centre, name: value})
        for name, value in zip(curves["name"], curves["value"], strict=True)
    ]
    curves["paper"] = [paper.mAP.get(PAPER_TIOU, math.nan) for paper in papers]
    curves["paper selection"] = [paper.selection for paper in papers]
    return axis_effects(data).rename(columns={"axis": "name"}), curves


def _of_cases(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = cells(data)
    mean = {data.score + ending: "mean" + ending for ending in ("", LOW, HIGH)}
    curves = found.assign(name=found[CASE], value=found[CASE], **{to: found[name] for name, to in mean.items()})
    papers = [published(data, cell) for cell in records(found, [CASE])]
    curves["paper"] = [paper.mAP.get(PAPER_TIOU, math.nan) for paper in papers]
    curves["paper selection"] = [paper.selection for paper in papers]
    curves = curves.sort_values(CASE, key=lambda names: names.map(list(data.cases).index), kind="stable")
    ranking = curves[~curves["centre"] & (curves["n"] > 0)].assign(
        symbol="", values=1, effect=lambda rows: rows["delta"]
    )
    for end in EXTREMES:
        for suffix in ("", LOW, HIGH):
            ranking[end + suffix] = ranking["delta" + suffix]
        ranking[end + " at"] = ranking["value"]
    ranking["best"] = ranking["value"]
    ranking["seeds"] = ranking[["seen", "within"]].min(axis=1).fillna(LEAST_REPEATS)
    return ranking.sort_values("effect", ascending=False, kind="stable").reset_index(drop=True), curves


def reach(found: Overview) -> tuple[float, float]:
    """The ends of a scale of differences: of all bars and the noise floor; of intervals as far as they are not much
    wider, for one of three hundred points would hide all others.
    """
    noise_floor = 0.0 if math.isnan(found.noise) else found.noise
    bars = [*found.ranking["lowest"], *found.ranking["highest"], -noise_floor, noise_floor]
    most = BEYOND * max([*(abs(one) for one in bars), 0.5])
    ends = pd.concat([found.ranking["lowest" + LOW], found.ranking["highest" + HIGH]]).dropna().clip(-most, most)
    low, high = min([*bars, *ends]), max([*bars, *ends])
    room = 0.03 * (high - low) or 0.5
    return low - room, high + room


def ranking_table(found: Overview) -> pd.DataFrame:
    """The ranking as every table of it shows it; values as a study file has them."""
    table = found.ranking
    words = found.curves.groupby("name", sort=False)["value"].agg(written_axis)
    value = found.curves.groupby("name", sort=False)["value"].agg(list)
    best = [
        next((word for word, one in zip(words[name], value[name], strict=True) if one == chosen), written(chosen))
        for name, chosen in zip(table["name"], table["best"], strict=True)
    ]
    leaky = "" if found.best_by == "holdout" else " (on test, leaky)"
    ends = {f"{end} Δ (%){suffix}": table[end + suffix].astype(float) for end in EXTREMES for suffix in ("", LOW, HIGH)}
    if found.rows == "case":
        ends = {name: column for name, column in ends.items() if name.startswith("highest")}
    row = "case" if found.rows == "case" else "axis"
    names = zip(table["symbol"], table["name"], strict=True)
    return pd.DataFrame({
        row: [f"{symbol} ({name})" if symbol else str(name) for symbol, name in names],
        "effect (%)": table["effect"].astype(float), **ends,
        **({} if found.rows == "case" else {f"best{leaky}": best}),
        "p": table["p adjusted"].astype(float), "verdict": table["verdict"], "needs": table["needs"],
    })  # fmt: skip


def answer(found: Overview) -> list[str]:
    """The overview in sentences: what matters, what does not, what is not known yet, and the best cell."""
    label = dict(zip(found.ranking["name"], found.ranking["symbol"], strict=True))
    said = {
        verdict: [label[name] or str(name) for name in found.ranking.loc[found.ranking["verdict"] == verdict, "name"]]
        for verdict in (MATTERS, LIKELY, "better", "worse", WITHIN_NOISE, NEEDS_REPEATS, UNCLEAR)
    }
    beside = "beside the reference" if found.rows == "case" else ""
    words = [
        _said(said[MATTERS], "matters", "matter"),
        _said(said[LIKELY], LIKELY, "likely matter"),
        _said(said["better"], f"is better {beside}", f"are better {beside}"),
        _said(said["worse"], f"is worse {beside}", f"are worse {beside}"),
        _said(said[WITHIN_NOISE], "is within noise", "are within noise"),
        _said(said[NEEDS_REPEATS], "needs repeats", "need repeats"),
        _said(said[UNCLEAR], "is unclear", "are unclear"),
    ]
    sentences = [" ".join(word for word in words if word)]
    return [*(one for one in (*sentences, found.note) if one), *_best_sentence(found)]


def _said(names: list[str], one: str, several: str) -> str:
    if not names:
        return ""
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"{listed} {(several if len(names) > 1 else one).strip()}."


def _best_sentence(found: Overview) -> list[str]:
    best, centre = found.best, found.centre
    if best is None:
        return []
    how = "" if found.best_by == "holdout" else ", chosen on test (leaky)"
    title = "Highest mean" if best["n"] > 1 else "Highest of single runs"
    beside = "" if centre is None or centre["cell"] == best["cell"] else f"; centre {_spread(centre)}"
    if centre is not None and centre["cell"] == best["cell"]:
        return [f"{title}{how}: the centre itself, {found.score} {_spread(best)} %."]
    return [f"{title}{how}: {best['cell']}, {found.score} {_spread(best)} %{beside}."]


def _spread(cell: dict[str, Any]) -> str:
    return f"{cell['mean']:.1f}{around(cell['mean'], cell['low'], cell['high'])}"


def as_json(found: Overview) -> dict[str, Any]:
    """The same as plain values, numbers unrounded, null for none."""
    tables = {name: getattr(found, name) for name in ("ranking", "curves")}
    return {
        "score": found.score, "unit": "percent", "rows": found.rows, "answer": answer(found),
        "noise floor": _plain(found.noise),
        "best": _plain(found.best), "best by": found.best_by, "centre": _plain(found.centre),
        **{name: [_plain(row) for row in records(table, list(table.columns))] for name, table in tables.items()},
        "next": [_plain(step._asdict()) for step in found.next],
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
