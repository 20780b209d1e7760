"""Ladder: the front with its verdicts, lines, units."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tal_search.results.budgets.ladder import against, ladder
from tal_search.results.cell_table import cells
from tal_search.results.statistics import HIGH, LOW
from tests.support.drawn_budgets import budgets_of

FAR = {(1, 1.0): 30.0, (1, 0.5): 20.0, (1, 0.1): 10.0, (3, 1.0): 50.0, (3, 0.5): 15.0, (3, 0.1): 40.0}


def by_cell(points: pd.DataFrame, column: str) -> dict[str, object]:
    return dict(zip(points["cell"], points[column], strict=True))


def test_cells_are_by_cost_and_a_line_joins_those_that_differ_in_one_budget() -> None:
    found = ladder(budgets_of(FAR), {})
    assert found.points["cost"].tolist() == [360, 720, 1800, 3600, 3600, 7200]
    assert found.unit == "total"
    lines = {name: found.points.loc[cells, "cell"].tolist() for name, cells in found.lines.items()}
    assert lines == {
        ("backtal", "videos"): ["supervision.videos=0.1", "supervision.videos=0.5", "centre"],
        ("kernel_size=3", "videos"): [
            "kernel_size=3 supervision.videos=0.1", "kernel_size=3 supervision.videos=0.5", "kernel_size=3",
        ],
    }  # fmt: skip
    assert found.has_budgets


def test_the_front_holds_what_is_better_than_everything_that_costs_as_little() -> None:
    points = ladder(budgets_of(FAR), {}).points
    assert by_cell(points, "front") == {
        "supervision.videos=0.1": "alone", "kernel_size=3 supervision.videos=0.1": "on", "kernel_size=3": "on",
        "supervision.videos=0.5": "below", "centre": "below", "kernel_size=3 supervision.videos=0.5": "below",
    }  # fmt: skip
    assert points["highest"].tolist() == points["front"].isin(["on", "alone"]).tolist()


def test_a_cell_no_better_than_a_cheaper_one_is_not_on_the_front_for_certain() -> None:
    equal = ladder(budgets_of({**FAR, (3, 0.1): 10.0}, seeds=12), {}).points
    place = by_cell(equal, "front")
    cells = ["supervision.videos=0.1", "kernel_size=3 supervision.videos=0.1"]
    assert [place[cell] for cell in cells] == ["alone", "within noise"]
    few = ladder(budgets_of(FAR, seeds=2), {}).points
    assert few["front"].tolist()[1:] == ["needs repeats"] * 5
    assert set(few["needs"][1:]) == {"3 seeds"}


def test_costs_are_per_minute_where_a_record_has_no_totals() -> None:
    study = budgets_of(FAR)
    for old in (
        study.trials.drop(columns="annotation_total"),
        study.trials.assign(annotation_total=[None, *[1.0] * 23]),
    ):
        found = ladder(replace(study, trials=old), {})
        assert found.unit == "minute"
        assert found.points["cost"].unique().tolist() == [45]


def test_a_study_without_budgets_has_no_lines() -> None:
    study = budgets_of({(1, 1.0): 30.0, (3, 1.0): 40.0})
    assert not ladder(study, {}).has_budgets
    assert ladder(study, {}).points["method"].tolist() == ["backtal", "kernel_size=3"]


@pytest.mark.parametrize("unfinished", ["all", "some"])
def test_cells_without_a_finished_trial_are_left_out(unfinished: str) -> None:
    study = budgets_of(FAR)
    open_ = study.trials["supervision.videos"] < (2 if unfinished == "all" else 0.5)
    found = ladder(replace(study, trials=study.trials.assign(state=open_.map({True: "open", False: "done"}))), {})
    assert len(found.points) == (0 if unfinished == "all" else 4)


def test_differences_to_a_cell_that_results_choose_are_corrected_for_all_pairs() -> None:
    study = budgets_of({(1, 1.0): 30.0, (1, 0.5): 20.0, (3, 1.0): 30.5, (3, 0.5): 20.5})
    chosen, to_centre = against(study, 0), cells(study)
    assert chosen["delta"].tolist() == to_centre["delta"].tolist()
    assert chosen["p"].tolist()[1:] == to_centre["p"].tolist()[1:]
    assert (chosen["p adjusted"] >= to_centre["p adjusted"])[1:].all()
    assert chosen["p adjusted"][2] > to_centre["p adjusted"][2]
    widths = [table["delta" + HIGH] - table["delta" + LOW] for table in (chosen, to_centre)]
    assert (widths[0] > widths[1])[1:].all()
