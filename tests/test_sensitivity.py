"""Tables from results whose numbers are known."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from tal_search.search.plan import Plan, resolve
from tal_search.search.report import shown_rows, terminal_table, write_tables
from tal_search.search.sensitivity import LEAKY, sensitivity_info
from tal_search.study import load_study
from tal_search.types import TrialResult, TrialSpec

AXES = "search.axes={lambda_sep: [0.5, 2], kernel_size: [5]}"


def make_plan(*overrides: str) -> Plan:
    settings = ["dataset.source=simulated", AXES, "search.repeats.seeds=[0,1,2]", *overrides]
    return resolve(load_study("thumos_single", settings))


def result(spec: TrialSpec, value: float) -> TrialResult:
    tiou = tuple(spec.protocol["tiou"])
    return TrialResult(
        key=spec.key, selected_epoch=1, tiou=tiou, mAP=tuple(value for _ in tiou), holdout_mAP=None,
        best_on_test_epoch=1, best_on_test_mAP=value, detections=1, parameters=1, seconds=1.0,
    )  # fmt: skip


def results(plan: Plan) -> dict[str, TrialResult]:
    """mAP in percent: 30 + 2·seed at the centre; λ = 0.5 is 3 below it, λ = 2 is 1 above, h = 5 equal."""
    shift = {(0.5, 3): -3.0, (2, 3): 1.0}
    found = {}
    for spec in plan.specs:
        value = 30 + 2 * spec.seed + shift.get((spec.cell["lambda_sep"], spec.cell["kernel_size"]), 0.0)
        found[spec.key] = result(spec, value / 100)
    return found


def test_means_spreads_and_paired_differences() -> None:
    plan = make_plan()
    tables = sensitivity_info(plan, results(plan))
    assert [table.axes for table in tables] == [("lambda_sep",), ("kernel_size",)]
    rows = tables[0].rows
    assert rows["lambda_sep"].tolist() == [0.5, 1.0, 2.0]
    assert rows["n"].tolist() == [3, 3, 3]
    assert rows["mAP@0.5"].tolist() == pytest.approx([29, 32, 33])
    assert rows["mAP@0.5 sd"].tolist() == pytest.approx([2, 2, 2])
    assert rows[LEAKY].tolist() == pytest.approx([29, 32, 33])
    assert rows["average"].tolist() == pytest.approx([29, 32, 33])
    assert rows["delta"].tolist() == pytest.approx([-3, 0, 1])
    assert rows["centre"].tolist() == [False, True, False]
    assert tables[1].rows["delta"].tolist() == pytest.approx([0, 0])


def test_differences_pair_the_repeats_that_both_have() -> None:
    plan = make_plan()
    found = results(plan)
    for spec in plan.specs:
        if spec.cell["lambda_sep"] == 0.5 and spec.seed == 0:
            del found[spec.key]
    row = sensitivity_info(plan, found)[0].rows.iloc[0]
    assert (row["n"], row["mAP@0.5"], row["delta"]) == (2, pytest.approx(30), pytest.approx(-3))


def test_an_unfinished_study_shows_what_it_has() -> None:
    plan = make_plan()
    centre = [spec for spec in plan.specs if spec.cell == plan.centre_cell][:1]
    rows = sensitivity_info(plan, {centre[0].key: result(centre[0], 0.3)})[0].rows
    assert rows["n"].tolist() == [0, 1, 0]
    assert math.isnan(rows["mAP@0.5"].iloc[0])
    assert math.isnan(rows["mAP@0.5 sd"].iloc[1])


def test_the_papers_cell_stands_only_at_its_operating_point() -> None:
    plan = make_plan()
    tables = sensitivity_info(plan, results(plan))
    assert [table.rows["paper"].dropna().tolist() for table in tables] == [[36.3], [36.3]]
    assert tables[0].rows.set_index("lambda_sep")["paper"].notna().tolist() == [False, True, False]
    assert "Table 12" in tables[0].rows.loc[tables[0].rows["centre"], "paper source"].item()
    elsewhere = make_plan("hyperparameters.beta_aff=0.7")
    assert sensitivity_info(elsewhere, results(elsewhere))[0].rows["paper"].isna().all()


def test_a_grid_is_one_table_of_all_cells() -> None:
    plan = make_plan("search.plan=grid", "search.axes={lambda_sep: [1, 2], kernel_size: [3, 5]}")
    (table,) = sensitivity_info(plan, results(plan))
    assert len(table.rows) == 4
    assert table.axes == ("lambda_sep", "kernel_size")


def test_files_and_terminal_say_the_source_and_the_numbers(tmp_path: Path) -> None:
    plan = make_plan()
    tables = sensitivity_info(plan, results(plan))
    csv, markdown = write_tables(plan, tables, tmp_path)
    content = pd.read_csv(csv)
    assert set(content["source"]) == {"simulated"}
    assert content.loc[content["lambda_sep"] == 2, "mAP@0.5"].item() == pytest.approx(33)
    text = markdown.read_text()
    assert "Source: simulated" in text
    assert "| 0.5 | 3 |" in text
    assert "29.0 ± 2.0" in text
    assert "not available" in text
    assert "costs 0.5 mAP" in text
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(terminal_table(plan, tables[0]))
    shown = console.export_text()
    assert "simulated THUMOS14" in shown
    assert "-3.0" in shown
    assert "36.3" in shown
    heads, rows = shown_rows(tables[0])
    assert all(len(row) == len(heads) for row in rows)
