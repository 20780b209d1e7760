"""Main effects of an axis: between cells of one block, whatever the other axes do, for values of any kind."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tal_search.results.axis_effects import axis_effects, value_effects
from tal_search.results.breakdown.main_effects import axis_effect, blocks, cell_means, ordered
from tal_search.results.uncertainty.model import modelled
from tests.support.drawn_grid import GRID, of, shifted
from tests.support.drawn_runs import drawn, study_of


def test_what_blocks_do_is_not_seen() -> None:
    """The other axis moves cells by thirty points, and what it does to one is what it does to all of a block."""
    runs = drawn(np.random.default_rng(1), len(GRID), seed=0.7, annotator=0.7)
    b = np.array([cell["b"] for cell in GRID])
    one = of(axis_effects(study_of(runs, GRID, "grid")), "a")
    found = axis_effects(study_of(shifted(runs, 10 * b - 20 * (b == 2)), GRID, "grid"))
    other = of(found, "a")
    for name in ("effect", "highest", "highest high", "lowest low", "p"):
        assert other[name] == pytest.approx(one[name], rel=1e-6, nan_ok=True)
    assert (other["best"], other["verdict"] == "matters") == (one["best"], False)
    assert of(found, "b")["verdict"] == "matters"
    assert found["axis"].tolist() == ["b", "a"], "the greatest first"


def test_with_cells_missing_blocks_are_still_not_seen() -> None:
    """A grid in which b's highest value was never tried at a's first: means of values alone would mix them."""
    kept = [place for place, cell in enumerate(GRID) if not (cell["b"] == 3 and cell["a"] == 0)]
    runs, settings = drawn(np.random.default_rng(2), len(kept)), [GRID[place] for place in kept]
    b = np.array([cell["b"] for cell in settings])
    one, other = (of(axis_effects(study_of(shifted(runs, scale * b), settings, "grid")), "a") for scale in (0.0, 50.0))
    for name in ("effect", "highest", "highest high", "lowest low", "p"):
        assert other[name] == pytest.approx(one[name], rel=1e-6, nan_ok=True)


def test_values_keep_their_kind_and_may_be_none() -> None:
    settings: list[dict[str, Any]] = [
        {"head": head, "size": size} for head, size in itertools.product((None, "flat", "deep"), (3, 5, 9))
    ]
    points = np.array([4.0 * (cell["head"] is None) + (cell["size"] == 9) * 4 for cell in settings])
    found = axis_effects(study_of(shifted(drawn(np.random.default_rng(7), 9, repeat=0.0), points), settings, "grid"))
    assert of(found, "head")["values"] == 3
    assert pd.isna(of(found, "head")["best"])
    assert of(found, "size")["best"] == 9
    assert found["verdict"].tolist() == ["matters"] * 2


@pytest.mark.parametrize("plan", ["sampler", "cases"])
def test_cells_of_a_sampler_share_no_block_and_cases_no_axis(plan: str) -> None:
    data = study_of(drawn(np.random.default_rng(11), len(GRID)), GRID, plan)
    assert axis_effects(data).empty
    assert value_effects(data).empty
    nothing = study_of(drawn(np.random.default_rng(11), len(GRID)), GRID, "grid")
    assert axis_effects(replace(nothing, trials=nothing.trials.assign(state="failed"))).empty


@pytest.mark.parametrize("axis", ["a", "b"])
def test_effects_are_those_of_least_squares_on_values_and_blocks(axis: str) -> None:
    """Of a grid with holes; one of its blocks has one value left and takes no part."""
    kept = [cell for cell in GRID if (cell["a"], cell["b"]) not in {(0, 0), (1, 0), (2, 3), (0, 1)}]
    runs, rows = drawn(np.random.default_rng(15), len(kept), seed=0.7), pd.DataFrame(kept)
    means = cell_means(modelled(runs, 0, "new annotators"))
    found = axis_effect(rows, ["a", "b"], axis, means, means.mean)
    assert found is not None
    place, values = ordered(rows[axis])
    of_block = blocks(rows, ["b" if axis == "a" else "a"])
    design = np.hstack([np.eye(len(values))[place], np.eye(of_block.max() + 1)[of_block]])
    fitted = np.linalg.lstsq(design, runs.value.mean(1), rcond=None)[0][: len(values)]
    assert found.value == values
    assert found.effect - found.effect[0] == pytest.approx(fitted - fitted[0])
    assert found.chosen == pytest.approx(found.effect)
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-12


def test_an_axis_whose_blocks_have_one_value_each_has_no_effects() -> None:
    rows = pd.DataFrame([{"a": 0, "b": 0}, {"a": 1, "b": 1}, {"a": 2, "b": 2}])
    means = cell_means(modelled(drawn(np.random.default_rng(16), 3), 0, "new annotators"))
    assert axis_effect(rows, ["a", "b"], "a", means, means.mean) is None


def test_numbers_are_in_order_and_others_as_they_appear() -> None:
    place, values = ordered(pd.Series([3.0, 1.0, 2.0, 1.0]))
    assert (place.tolist(), values) == ([2, 0, 1, 0], [1.0, 2.0, 3.0])
    place, values = ordered(pd.Series(["z", None, "a", "z"], dtype=object))
    assert (place.tolist(), len(values), values[0], values[2]) == ([0, 1, 2, 0], 3, "z", "a")


def test_a_block_is_the_cells_of_equal_values_of_the_other_axes() -> None:
    rows = pd.DataFrame({"a": [0, 1, 0, 1], "b": ["x", "x", None, None], "c": [1, 1, 1, 2]})
    assert blocks(rows, ["b"]).tolist() == [0, 0, 1, 1]
    assert blocks(rows, ["b", "c"]).tolist() == [0, 0, 1, 2]
    assert blocks(rows, []).tolist() == [0] * 4
