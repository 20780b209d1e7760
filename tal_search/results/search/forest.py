"""Random forest of a sampler's cells, which predicts mean mAP at settings that were not run.

A sampler's cells share no block, so effects of axes are separated by a model of all cells (Breiman, Machine Learning
45, 2001). Its spread is that of refits on resampled cells (Efron's bootstrap). An axis that is active only at some
values of another axis (`when:` of a study's space) keeps the centre's value elsewhere, which reveals such pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tal_search.results.cell_table import cells
from tal_search.results.ranking import selected_by
from tal_search.results.trials import StudyFrame, equal
from tal_search.types import Floats, Ints

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor

LEAST_CELLS, LEAST_PER_AXIS = 16, 2  # with fewer cells, in total or per varied axis, even the spread is unreliable
MOST_CELLS = 1000  # evenly selected for the fit; more take longer and change no curve
TREES, REFITS, TREES_OF_REFIT = 100, 30, 10
LEAST_SILENT = 5  # cells with an axis at the centre's value only, from which on it counts as inactive there
MOST_CHOICES = 12  # values of an axis that others may depend on
SEED = 0

Silent = dict[str, dict[str, tuple[object, ...]]]
"""By axis, the values of other axes at which it is inactive."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """cells: [N] the axes, `mean` (percent) and `n`. trees: of the forest, then of each refit."""

    axes: tuple[str, ...]
    centre: Mapping[str, object]
    cells: pd.DataFrame
    silent: Silent
    trees: list[list[DecisionTreeRegressor]] = field(repr=False)

    def predict(self, rows: pd.DataFrame) -> Floats:
        """Predicted means [1 + REFITS, N]: of the forest, then of each refit."""
        design = self.design(rows)
        means = [np.mean([tree.predict(design, check_input=False) for tree in trees], axis=0) for trees in self.trees]
        return np.asarray(means, np.float64)

    def design(self, rows: pd.DataFrame) -> NDArray[np.float32]:
        """Design matrix: numbers unchanged, as trees need no scaling; other axes one-hot without the first value."""
        columns = []
        for axis in self.axes:
            if is_number(self.cells[axis]):
                columns.append(rows[axis].to_numpy(np.float64))
            else:
                columns += [equal(rows[axis], value).to_numpy(np.float64) for value in values_of(self.cells[axis])[1:]]
        return np.column_stack(columns).astype(np.float32)

    def active(self, axis: str, rows: pd.DataFrame) -> pd.Series[bool]:
        """Whether the axis is active in each row."""
        active = pd.Series(True, index=rows.index)
        for other, values in self.silent.get(axis, {}).items():
            for value in values:
                active &= ~equal(rows[other], value)
        return active


def is_number(column: pd.Series) -> bool:
    """Whether all values of an axis are numbers, none of them None."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return bool(numeric and column.notna().all())


def values_of(column: pd.Series) -> list[object]:
    """The values of an axis: numbers by size, others in alphabetical order, None first."""
    values = column.drop_duplicates().tolist()
    if is_number(column):
        return sorted(values)
    return sorted(values, key=lambda value: "" if pd.isna(value) else str(value))


def unfitted(data: StudyFrame) -> str:
    """The reason why there is no forest, as a sentence; "" if there is one."""
    if data.plan != "sampler":
        return "Marginal effects are of samplers: other plans compare cells that differ in nothing else."
    if find_spec("sklearn") is None:
        return "Marginal effects need scikit-learn: pip install 'tal-search[dashboards]'."
    finished = _finished(data)
    varied = len(_varied(finished, list(data.axes)))
    least = max(LEAST_CELLS, LEAST_PER_AXIS * varied)
    if len(finished) < least or finished["mean"].nunique() < 2:
        return f"Marginal effects need {least} different finished cells; this study has {len(finished)}."
    return ""


@lru_cache(maxsize=4)
def fitted(data: StudyFrame) -> Forest | None:
    """The forest of a sampler's finished cells, on means at `ranking.selected_by` weighted by repeats; None for the
    reason that `unfitted` gives. Deterministic: all seeds are fixed.
    """
    if unfitted(data):
        return None
    finished = _finished(data)
    few = finished.iloc[np.linspace(0, len(finished) - 1, min(len(finished), MOST_CELLS)).round().astype(int)]
    few = few.reset_index(drop=True)
    axes = _varied(few, list(data.axes))
    forest = Forest(axes=axes, centre=data.centre, cells=few, silent=_silent(few, axes, data.centre), trees=[])
    random = np.random.default_rng(SEED)
    every = np.ones(len(few), np.int64)
    forest.trees.append(_grown(forest, every, TREES, random))
    forest.trees.extend(_grown(forest, _resampled(every, random), TREES_OF_REFIT, random) for _ in range(REFITS))
    return forest


def _grown(forest: Forest, times_N: Ints, count: int, random: np.random.Generator) -> list[DecisionTreeRegressor]:
    """`count` trees, each on a new resample of the cells, which occur `times_N` times."""
    from sklearn import config_context
    from sklearn.tree import DecisionTreeRegressor

    design, score_N, repeats_N = forest.design(forest.cells), forest.cells["mean"].to_numpy(), forest.cells["n"]
    trees = []
    for number in range(count):
        weight_N = _resampled(times_N, random) * repeats_N.to_numpy(np.float64)
        kept_N = weight_N > 0
        tree = DecisionTreeRegressor(random_state=SEED + number)
        with config_context(skip_parameter_validation=True, assume_finite=True):  # halves the time of a small tree
            trees.append(tree.fit(design[kept_N], score_N[kept_N], weight_N[kept_N], check_input=False))
    return trees


def _resampled(times_N: Ints, random: np.random.Generator) -> Ints:
    drawn_N: Ints = random.multinomial(len(times_N), times_N / times_N.sum())
    return drawn_N


def _finished(data: StudyFrame) -> pd.DataFrame:
    """The axes, `mean` and `n` of each cell with a finished repeat, in an order independent of that of the trials."""
    table = cells(data)
    known = table[table[selected_by(data)].notna()]
    ordered = known[list(data.axes)].astype(str).sort_values(list(data.axes), kind="stable").index
    return known.assign(mean=known[selected_by(data)]).loc[ordered, [*data.axes, "mean", "n"]].reset_index(drop=True)


def _varied(finished: pd.DataFrame, axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(axis for axis in axes if finished[axis].nunique(dropna=False) > 1)


def _silent(finished: pd.DataFrame, axes: Sequence[str], centre: Mapping[str, object]) -> Silent:
    """The values of an axis at which another axis is at the centre in all cells, at least LEAST_SILENT of them.

    A pair may look dependent both ways: then the axis with fewer values (a switch rather than a number) is the one that
    the other depends on.
    """
    silent: Silent = {}
    choices = {axis: (is_number(finished[axis]), finished[axis].nunique(dropna=False)) for axis in axes}
    for axis in axes:
        away = ~equal(finished[axis], centre.get(axis))
        for other in axes:
            if other == axis or choices[other] > choices[axis] or choices[other][1] > MOST_CHOICES:
                continue
            rows = {value: away[equal(finished[other], value)] for value in values_of(finished[other])}
            quiet = tuple(value for value, off in rows.items() if len(off) >= LEAST_SILENT and not off.any())
            if quiet and len(quiet) < len(rows):
                silent.setdefault(axis, {})[other] = quiet
    return silent
