"""A sampler's study ends once its space is exhausted, with the number of cells in the space."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.proposers import sampled
from tal_search.proposers.optuna_samplers import count_cells
from tal_search.study import Dimension
from tests.support.sampled_plans import SMALL, fits_trained, proposed, run, sampled_plan

LISTS: dict[str, list[Any]] = {
    "a": [1, 2, 3], "b": [True, False], "c": [0.5, 0.75, 1.0, 1.25], "d": ["x"], "e": [3, 5],
}  # fmt: skip
DIMENSIONS: dict[str, dict[str, Any]] = {
    "a": {"low": 1, "high": 3}, "b": {"choices": (True, False)}, "c": {"low": 0.5, "high": 1.25, "step": 0.25},
    "d": {"choices": ("x",)}, "e": {"low": 3, "high": 5, "step": 2},
}  # fmt: skip


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Names in any order, each with its conditions on names before it; a study file has none on fractions."""
    names = draw(st.permutations(list(LISTS)))[: draw(st.integers(1, len(LISTS)))]
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for place, name in enumerate(names):
        before = [other for other in names[:place] if other != "c"]
        others = draw(st.lists(st.sampled_from(before), max_size=2, unique=True)) if before else []
        found[name] = {
            other: tuple(draw(st.lists(st.sampled_from(LISTS[other]), min_size=1, unique=True))) for other in others
        }
    return found


@given(spaces())
def test_every_cell_is_counted_once(when: dict[str, dict[str, tuple[Any, ...]]]) -> None:
    """Against all combinations, the dimensions that are off put back to the centre, each cell once."""
    space = {name: Dimension(**DIMENSIONS[name], when=when[name]) for name in when}
    centre = {name: LISTS[name][0] for name in when}
    cells = set()
    for values in itertools.product(*(LISTS[name] for name in when)):
        cell = dict(zip(when, values, strict=True))
        for name in when:
            if not all(cell[other] in allowed for other, allowed in when[name].items()):
                cell[name] = centre[name]
        cells.add(tuple(cell.values()))
    assert count_cells(space, centre, len(cells)) == len(cells)
    assert count_cells(space, centre, len(cells) - 1) is None


def test_a_range_without_steps_counts_only_where_it_is_drawn() -> None:
    endless = Dimension(low=0.0, high=1.0, when={"b": (True,)})
    assert count_cells({"c": Dimension(low=0.0, high=1.0)}, {"c": 0.0}, 1000) is None
    both = Dimension(choices=(True, False))
    assert count_cells({"b": both, "c": endless}, {"b": True, "c": 0.0}, 1000) is None
    off = Dimension(choices=(False,))
    assert count_cells({"b": off, "c": endless}, {"b": False, "c": 0.0}, 1000) == 1


def test_an_exhausted_space_ends_a_study_that_has_only_a_time_budget(tmp_path: Path) -> None:
    plan = sampled_plan(tmp_path, space=SMALL, trials=None, minutes=10)
    for _ in range(2):
        outcome, _ = run(plan)
        assert not outcome.out_of_time
        assert outcome.messages == (
            "The space holds 5 cells, and all are known, so the study ends; widen search.space.",
        )
        cells = [cell["kernel_size"] for cell in proposed(plan)]
        assert len(set(cells[:-1])) == 4, "it ends with the last cell that was missing"
        assert len(set(cells)) == len(fits_trained(plan)) == 5


def test_a_sampler_that_has_nothing_new_ends_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "MOST_REPETITIONS", 8)
    monkeypatch.setattr(sampled, "MOST_COUNTED", 4)  # the space is too large to be counted
    plan = sampled_plan(tmp_path, space=SMALL, trials=None, minutes=10)
    outcome, _ = run(plan)
    assert "The sampler's last 8 cells were known already" in outcome.messages[0]
    cells = [cell["kernel_size"] for cell in proposed(plan)]
    assert set(cells[:-8]) == set(cells)
