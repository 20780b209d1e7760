"""`tal_search.compare`: is one of two settings, run with several seeds and annotators each, better than the other?"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from tal_search.errors import Problems
from tal_search.results.statistics import HIGH, LOW, Verdict, differences
from tal_search.results.uncertainty.model import Claim

COLUMNS = ("seed", "annotator", "mAP")


class Compared(NamedTuple):
    """a − b: mean over `pairs` common repeats, its 95 % interval `low` to `high`, `p` of the two-sided test, `verdict`.

    In the unit of mAP. `better`: a is better. `needs`: the repeats that would decide it if they are too few, else "".
    """

    mean: float
    low: float
    high: float
    p: float
    verdict: Verdict
    needs: str
    pairs: int


def compare(a: pd.DataFrame, b: pd.DataFrame, *, claim: Claim = "new annotators") -> Compared:
    """Compare two frames with columns seed, annotator (optional) and mAP, one row per run.

    Runs are paired by seed and annotator, which are crossed: runs that share a seed or an annotator are not treated as
    independent. The claim is for new seeds and new annotators, or for new seeds and "these annotators"; with one
    annotator it is for that one. low, high and p are NaN with fewer than three common repeats, or with one seed.
    Raises InputError for a missing column, an mAP that is not a number, or a repeat given twice.
    """
    problems = Problems()
    for name, frame in (("a", a), ("b", b)):
        problems.extend(_problems(name, frame))
    if claim not in ("new annotators", "these annotators"):
        problems.add(f"claim={claim!r} is unknown; give 'new annotators' or 'these annotators'")
    problems.raise_if_any()
    rows = pd.concat([_rows(frame).assign(cell=place) for place, frame in enumerate((b, a))], ignore_index=True)
    (row,) = differences(rows, "mAP", 0, claim).loc[[1]].to_dict("records")
    return Compared(
        mean=float(row["delta"]), low=float(row["delta" + LOW]), high=float(row["delta" + HIGH]),
        p=float(row["p"]), verdict=row["verdict"], needs=row["needs"], pairs=int(row["pairs"]),
    )  # fmt: skip


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    annotator = frame.get("annotator", "")
    return pd.DataFrame({"seed": frame["seed"], "annotator": annotator, "mAP": frame["mAP"].astype(float)})


def _problems(name: str, frame: pd.DataFrame) -> list[str]:
    missing = [column for column in ("seed", "mAP") if column not in frame]
    if missing:
        return [f"{name} has no column {column!r}; give {', '.join(COLUMNS)}" for column in missing]
    if not len(frame):
        return [f"{name} has no rows; give one per run"]
    numbers = pd.to_numeric(frame["mAP"], errors="coerce")
    wrong = [seen for seen, number in zip(frame["mAP"], numbers, strict=True) if not math.isfinite(number)]
    problems = [f"{name}: mAP {wrong[0]!r} is not a number; give one for every run, or omit the run"] if wrong else []
    keys = [column for column in ("seed", "annotator") if column in frame]
    twice = frame[frame.duplicated(keys)]
    if len(twice):
        seen = ", ".join(f"{key} {twice[key].iloc[0]}" for key in keys)
        problems.append(f"{name}: {seen} occurs twice; give one row per run")
    return problems
