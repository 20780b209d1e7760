"""A random forest of a sampler's cells, which predicts mean mAP at settings that were not run.

A sampler's cells share no block, so axes are told apart by a model of all of them (Breiman, Machine Learning 45, 2001).
Its spread is that of refits on resampled cells (Efron's bootstrap). An axis that has a say only at some values of
another one (`when:` of a study's space) keeps the centre's value elsewhere; such pairs are recognized by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tal_search.results.cell_table import cells
from tal_search.results.ranking import selected_by
from tal_search.results.trials import StudyFrame, equal
from tal_search.types import Floats, Ints

LEAST_CELLS, LEAST_PER_AXIS = 16, 2  # with fewer cells, or fewer an axis that varies, the spread itself is a guess
MOST_CELLS = 1000  # that a forest is fitted to, evenly taken; more would lengthen the wait and change no curve
TREES, REFITS, TREES_OF_REFIT = 100, 30, 10
LEAST_SILENT = 5  # cells that show an axis at the centre's value alone before it is taken to have no say there
MOST_CHOICES = 12  # values of an axis that others may depend on
SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """cells: [N] the axes, `mean` (percent) and `n`; silent: of an axis, the values of others at which it has no say.

    trees: of the forest, then of each refit.
    """

    axes: tuple[str, ...]
    centre: dict[str, Any]
    cells: pd.DataFrame
    silent: dict[str, dict[str, tuple[Any, ...]]]
    trees: list[list[Any]] = field(repr=False)

    def predict(self, rows: pd.DataFrame) -> Floats:
        """[1 + REFITS, N]: of the forest, then of each refit."""
        design = self.design(rows)
        found = [np.mean([tree.predict(design, check_input=False) for tree in trees], axis=0) for trees in self.trees]
        return np.asarray(found, np.float64)

    def design(self, rows: pd.DataFrame) -> NDArray[np.float32]:
        """Numbers as they are, which is all that trees need; of other axes a column for each value but the first."""
        columns = []
        for axis in self.axes:
            if is_number(self.cells[axis]):
                columns.append(rows[axis].to_numpy(np.float64))
            else:
                columns += [equal(rows[axis], one).to_numpy(np.float64) for one in values_of(self.cells[axis])[1:]]
        return np.column_stack(columns).astype(np.float32)

    def has_say(self, axis: str, rows: pd.DataFrame) -> pd.Series[bool]:
        """Of each row, whether the axis changes anything there."""
        heard = pd.Series(True, index=rows.index)
        for other, values in self.silent.get(axis, {}).items():
            for value in values:
                heard &= ~equal(rows[other], value)
        return heard


def is_number(column: pd.Series[Any]) -> bool:
    """Whether all values of an axis are numbers, none of them None."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return bool(numeric and column.notna().all())


def values_of(column: pd.Series[Any]) -> list[Any]:
    """The values of an axis: numbers by size, anything else in words' order, None first."""
    found = column.drop_duplicates().tolist()
    return sorted(found) if is_number(column) else sorted(found, key=lambda one: "" if pd.isna(one) else str(one))


def unfitted(data: StudyFrame) -> str:
    """Why there is no forest, as a sentence; "" where there is one."""
    if data.plan != "sampler":
        return "Marginal effects are of samplers: other plans compare cells that differ in nothing else."
    if find_spec("sklearn") is None:
        return "Marginal effects need scikit-learn: pip install 'tal-search[dashboards]'."
    finished = _finished(data)
    varied = len(_varied(finished, list(data.axes)))
    wanted = max(LEAST_CELLS, LEAST_PER_AXIS * varied)
    if len(finished) < wanted or finished["mean"].nunique() < 2:
        return f"Marginal effects need {wanted} different finished cells; this study has {len(finished)}."
    return ""


@lru_cache(maxsize=4)
def fitted(data: StudyFrame) -> Forest | None:
    """Of a sampler's finished cells, each by its mean at `ranking.selected_by` and weighed by its repeats; None where
    `unfitted` says why. The same for the same trials: all seeds are fixed.
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


def _grown(forest: Forest, times_N: Ints, count: int, random: np.random.Generator) -> list[Any]:
    """So many trees, each of another resample of the cells, of which each is there `times_N`."""
    from sklearn import config_context
    from sklearn.tree import DecisionTreeRegressor

    design, score_N, repeats_N = forest.design(forest.cells), forest.cells["mean"].to_numpy(), forest.cells["n"]
    trees = []
    for number in range(count):
        weight_N = _resampled(times_N, random) * repeats_N.to_numpy(np.float64)
        kept_N = weight_N > 0
        tree = DecisionTreeRegressor(random_state=SEED + number)
        with config_context(skip_parameter_validation=True, assume_finite=True):  # half of the time of a small tree
            trees.append(tree.fit(design[kept_N], score_N[kept_N], weight_N[kept_N], check_input=False))
    return trees


def _resampled(times_N: Ints, random: np.random.Generator) -> Ints:
    drawn_N: Ints = random.multinomial(len(times_N), times_N / times_N.sum())
    return drawn_N


def _finished(data: StudyFrame) -> pd.DataFrame:
    """The axes, `mean` and `n` of each cell with a finished repeat, in an order that no trial's end decides."""
    found = cells(data)
    known = found[found[selected_by(data)].notna()]
    ordered = known[list(data.axes)].astype(str).sort_values(list(data.axes), kind="stable").index
    return known.assign(mean=known[selected_by(data)]).loc[ordered, [*data.axes, "mean", "n"]].reset_index(drop=True)


def _varied(finished: pd.DataFrame, axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(axis for axis in axes if finished[axis].nunique(dropna=False) > 1)


def _silent(
    finished: pd.DataFrame, axes: Sequence[str], centre: dict[str, Any]
) -> dict[str, dict[str, tuple[Any, ...]]]:
    """The values of an axis at which another stays at the centre in every cell, of LEAST_SILENT or more.

    What is off its centre only where a switch is on leaves the switch on wherever it is off its centre: of such a pair
    the axis with fewer values, a switch before a number, is the one that the other depends on.
    """
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    choices = {axis: (is_number(finished[axis]), finished[axis].nunique(dropna=False)) for axis in axes}
    for axis in axes:
        away = ~equal(finished[axis], centre.get(axis))
        for other in axes:
            if other == axis or choices[other] > choices[axis] or choices[other][1] > MOST_CHOICES:
                continue
            rows = {one: away[equal(finished[other], one)] for one in values_of(finished[other])}
            quiet = tuple(one for one, off in rows.items() if len(off) >= LEAST_SILENT and not off.any())
            if quiet and len(quiet) < len(rows):
                found.setdefault(axis, {})[other] = quiet
    return found
