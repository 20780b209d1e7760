"""`tal_search.compare`: is one of two settings, run with several seeds and annotators each, better than the other?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from tal_search.errors import InputError
from tal_search.results.statistics import HIGH, LOW, Verdict, differences
from tal_search.results.uncertainty.model import Claim

COLUMNS = ("seed", "annotator", "mAP")


class Compared(NamedTuple):
    """a − b: mean over `pairs` common repeats, its 95 % interval `low` to `high`, `p` of the two-sided test, `verdict`.

    In the unit of mAP. `better`: a is. `needs` says what would decide it where repeats are too few, else "".
    """

    mean: float
    low: float
    high: float
    p: float
    verdict: Verdict
    needs: str
    pairs: int


def compare(a: pd.DataFrame, b: pd.DataFrame, *, claim: Claim = "new annotators") -> Compared:
    """Compare two frames with columns seed, annotator (may be left out) and mAP, one row a run.

    Paired by seed and annotator, which are crossed, not independent: runs that share a seed or an annotator are not
    counted as if they did not. The claim is for new seeds and new annotators, or for new seeds and "these annotators";
    of one annotator it is for that one. low, high and p are NaN with fewer than three common repeats, or with one seed.
    Raises InputError: a column that is missing, a number that is none, a repeat given twice.
    """
    frames = {"a": a, "b": b}
    problems = [problem for name, frame in frames.items() for problem in _problems(name, frame)]
    if claim not in ("new annotators", "these annotators"):
        problems.append(f"claim={claim!r} is unknown; give 'new annotators' or 'these annotators'")
    if problems:
        raise InputError(problems)
    rows = pd.concat([_rows(frame).assign(cell=place) for place, frame in enumerate((b, a))], ignore_index=True)
    found: Mapping[Any, Any] = differences(rows, "mAP", 0, claim).loc[1].to_dict()
    return Compared(
        mean=float(found["delta"]), low=float(found["delta" + LOW]), high=float(found["delta" + HIGH]),
        p=float(found["p"]), verdict=found["verdict"], needs=found["needs"], pairs=int(found["pairs"]),
    )  # fmt: skip


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    annotator = frame.get("annotator", "")
    return pd.DataFrame({"seed": frame["seed"], "annotator": annotator, "mAP": frame["mAP"].astype(float)})


def _problems(name: str, frame: pd.DataFrame) -> list[str]:
    missing = [column for column in ("seed", "mAP") if column not in frame]
    if missing:
        return [f"{name} has no column {column!r}; give {', '.join(COLUMNS)}" for column in missing]
    if not len(frame):
        return [f"{name} has no row; give one a run"]
    numbers = pd.to_numeric(frame["mAP"], errors="coerce")
    wrong = [seen for seen, number in zip(frame["mAP"], numbers, strict=True) if not math.isfinite(number)]
    problems = [f"{name}: mAP {wrong[0]!r} is no number; give one for every run, or leave the run out"] if wrong else []
    keys = [column for column in ("seed", "annotator") if column in frame]
    twice = frame[frame.duplicated(keys)]
    if len(twice):
        seen = ", ".join(f"{key} {twice[key].iloc[0]}" for key in keys)
        problems.append(f"{name}: {seen} is there twice; give one row a run")
    return problems
