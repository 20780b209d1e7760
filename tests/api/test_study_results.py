"""`StudyResults`: tables, figures and names of a study."""

from __future__ import annotations

import inspect
import re

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import tal_search
from tal_search import StudyResults
from tal_search.errors import InputError
from tal_search.results.cell_table import cells
from tal_search.results.overview import overview
from tal_search.results.sensitivity import sensitivity_info
from tal_search.types import INFERENCE
from tests.support.small_dashboards import Made

SCORE = re.compile(r"mAP@0\.\d$")


def documented(owner: type, name: str) -> set[str]:
    """Columns that the docstring of a property names, by the whole word."""
    return set(re.findall(r"[\w@.]+", inspect.getdoc(getattr(owner, name)) or ""))


def test_its_tables_are_those_of_the_results_room(study: StudyResults, swept: Made) -> None:
    data = swept.read()
    assert_frame_equal(study.trials, data.trials)
    assert_frame_equal(study.cells, cells(data))
    found = overview(data)
    assert_frame_equal(study.ranking, found.ranking)
    assert_frame_equal(study.curves, found.curves)
    assert (study.best, study.centre, study.noise, study.next) == (found.best, found.centre, found.noise, found.next)
    for table in sensitivity_info(data):
        assert_frame_equal(study.table(table.axes[0]), table.rows)
        assert_frame_equal(study.table(data.axes[table.axes[0]]), table.rows)  # by its symbol
    assert len(study.table()) == len(study.cells)


def test_a_grid_has_a_table_of_each_axis_through_the_centre(grid: Made) -> None:
    found = tal_search.load(grid.name, grid.runs)
    rows = found.table("lambda_sep")
    assert rows["lambda_sep"].tolist() == [0.5, 1.0, 8.0]
    assert rows[f"{INFERENCE}nms"].nunique() == 1
    assert rows["centre"].sum() == 1
    assert len(found.table()) == 6


def test_a_study_of_cases_has_a_row_a_case(compared: Made) -> None:
    found = tal_search.load(compared.name, compared.runs)
    assert set(found.ranking["name"]) < set(found.table("case")["case"])
    assert found.best is not None
    assert found.best["cell"] in set(found.trials["case"])


def test_writing_to_a_table_changes_no_other(study: StudyResults) -> None:
    before = study.cells
    tables = [study.trials, study.cells, study.ranking, study.curves, study.table("kernel_size")]
    for table in tables:
        table.insert(0, "more", 1)
        table.columns = pd.RangeIndex(table.shape[1])
    assert study.best is not None
    study.best["cell"] = "changed"
    trial = study.trial(study.trials["key"][0])
    trial.activations.cas[:] = 7
    epochs = trial.epochs
    epochs["epoch"] = 7
    assert_frame_equal(study.cells, before)
    assert "more" not in study.ranking
    assert study.best["cell"] != "changed"
    assert not (trial.activations.cas == 7).all()
    assert trial.epochs["epoch"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["trials", "cells", "ranking", "curves"])
def test_every_column_is_documented(study: StudyResults, name: str) -> None:
    known = documented(StudyResults, name) | (documented(StudyResults, "trials") if name == "cells" else set())
    columns = [column.removesuffix(" low").removesuffix(" high") for column in getattr(study, name)]
    left = [column for column in columns if column not in study.axes and not SCORE.match(column)]
    assert [column for column in left if not set(column.split()) <= known] == []


def test_every_figure_of_the_views_has_a_name(study: StudyResults) -> None:
    names = study.figures()
    assert len(names) == len(set(names)) > 10
    assert {name.partition("/")[0] for name in names} >= {"study", "plots", "playground", "cost", "errors", "timeline"}
    drawn = study.figure("plots/axis kernel_size", {"plots-score": "average"})
    assert drawn.layout.yaxis.title.text == "average mAP (%)"
    assert drawn.layout.title.text == "simulated data"
    assert study.figure("cost") == study.figure("cost/cost")
    assert [one.text for one in study.figure().layout.annotations if one.text == "mAP@0.5 (%)"]
    assert study.figure() == study.figure("overview/overview")


def test_names_that_are_wrong_are_answered_with_those_there_are(study: StudyResults) -> None:
    with pytest.raises(InputError, match=r"its axes: lambda_sep \(λ\)"):
        study.table("kernel")
    with pytest.raises(InputError, match=r"VIEW one of .*plots"):
        study.figure("plot/axis kernel_size")
    with pytest.raises(InputError, match=r"figures of this view: .*plots/axis kernel_size"):
        study.figure("plots/axis kernel")
    for key in ("", "no key", "../trials"):
        with pytest.raises(InputError, match=r"column `key` of `trials`"):
            study.trial(key)
    with pytest.raises(InputError, match="has no record of a study nothing"):
        tal_search.load("nothing", study.trials.attrs.get("runs", "runs"))
