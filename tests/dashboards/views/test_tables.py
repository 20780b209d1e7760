"""Sensitivity tables against the report of the run and the published numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tal_dashboards.style import shown
from tal_dashboards.views import tables
from tal_search.results.published import BEST_ON_TEST
from tal_search.results.sensitivity import sensitivity_info
from tal_search.results.statistics import HIGH, LOW
from tests.support.small_dashboards import Made, drawn_rows


def test_sensitivity_tables_hold_what_the_end_of_a_run_prints(swept: Made) -> None:
    found = tables.info(swept.read(), {})
    printed = sensitivity_info(swept.frame)
    assert len(found.tables) == len(printed) == 3
    for table, theirs in zip(found.tables.values(), printed, strict=True):
        (axis,) = theirs.axes
        assert table[axis].tolist() == theirs.rows[axis].tolist()
        for name in ("n", "mAP@0.5", "mAP@0.5" + LOW, "mAP@0.5" + HIGH, "mAP@0.7", "average"):
            assert table[name].tolist() == pytest.approx(theirs.rows[name].tolist())
        for name in ("verdict", "needs"):
            assert table[name].tolist() == theirs.rows[name].tolist()
        off = table["verdict"] != "centre"
        for ending in ("", LOW, HIGH):
            mine, printed_delta = table[f"Δ mAP@0.5{ending}"], theirs.rows[f"delta{ending}"]
            assert mine[off].tolist() == pytest.approx(printed_delta[off].tolist())
        assert table["paper mAP@0.5"].tolist() == pytest.approx(theirs.rows["paper"].tolist(), nan_ok=True)


def test_the_papers_cell_stands_at_its_operating_point_alone(swept: Made) -> None:
    data = swept.read()
    at_point = replace(
        data, inference=data.fit_inference,
        centre={**data.centre, "inference.nms": data.fit_inference["nms"]},
        hyperparameters={**data.hyperparameters, "embedding_dim": 32, "k_ratio": 0.125},
    )  # fmt: skip
    table = tables.info(at_point, {}).tables["λ (lambda_sep)"].set_index("lambda_sep")
    paper = table["paper mAP@0.5"]
    assert paper[1.0] == 36.3
    assert table["paper selection"][1.0] == BEST_ON_TEST
    assert math.isnan(paper[0.25])
    assert shown(paper.to_frame())["paper mAP@0.5"].tolist() == ["–", "36.3"]
    (row,) = [row for row in drawn_rows(tables.grid(at_point, {})) if row[:2] == ["λ", "1"]]
    assert row[-1] == "36.3 †"
