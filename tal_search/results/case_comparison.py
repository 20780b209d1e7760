"""Comparison of cases: one row per case, with its difference to the reference and the published system it rebuilds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from tal_search.results.cell_table import cells, published
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame


class Comparison(NamedTuple):
    """`rows` in the study's order, the reference first.

    Columns: `case`, `method`, `supervision`, `seconds` (of annotation, per minute of labelled video, mean over the
    repeats), `annotation_total` (seconds over the whole training set),
    `n` finished repeats, `mAP@t` for every tIoU and `average` over `average_over`, `delta` (mean paired difference to
    the reference at tIoU `tiou`), each with its LOW and HIGH; `pairs` of the difference; `verdict` and `needs` (see
    `statistics.differences`); `paper@t`, `paper source` and `paper selection` (how its epoch was chosen). Percent; NaN
    if unknown.
    """

    reference: str
    tiou: str
    average_over: str
    rows: pd.DataFrame


def comparison_info(data: StudyFrame, supervision: Mapping[str, str] | None = None) -> Comparison:
    """Every case with a trial; n = 0 without a finished one. supervision: in words by case, if known."""
    table = cells(data)
    table = table.sort_values("case", key=lambda names: names.map(list(data.cases).index), kind="stable")
    scores = [*(f"mAP@{tiou:g}" for tiou in data.tiou), "average"]
    means = table[["n", *(name for score in scores for name in (score, score + LOW, score + HIGH))]]
    verdict = table["verdict"].replace("centre", "reference")
    differences = table[["delta", "delta" + LOW, "delta" + HIGH, "pairs"]].astype(float)
    differences.loc[table["centre"]] = math.nan
    papers = pd.DataFrame([_paper(data, name) for name in table["case"]], index=table.index)
    methods = data.trials.drop_duplicates("case").set_index("case")["method"]
    heads = pd.DataFrame(
        {
            "case": table["case"],
            "method": table["case"].map(methods),
            "supervision": [(supervision or {}).get(name, "") for name in table["case"]],
            "seconds": table["annotation_seconds"],
            "annotation_total": table["annotation_total"],
        }
    )
    rows = pd.concat([heads, means, papers, verdict, table["needs"], differences], axis=1)
    return Comparison(next(iter(data.cases)), data.threshold, data.average_over, rows.reset_index(drop=True))


def _paper(data: StudyFrame, name: str) -> dict[str, float | str]:
    paper = published(data, {"case": name})
    tious = (*(f"{tiou:g}" for tiou in data.tiou), data.average_over)
    numbers = {f"paper@{tiou}": paper.mAP.get(tiou, math.nan) for tiou in tious}
    return {**numbers, "paper source": paper.source, "paper selection": paper.selection}
