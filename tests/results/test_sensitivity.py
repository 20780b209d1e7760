"""Tables from results whose numbers are known."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from tal_search.cli.report import axis_text, common_need, write_tables
from tal_search.cli.text_table import drawn
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.plan_frame import study_frame
from tal_search.results.published import MARK_NOTE
from tal_search.results.sensitivity import AxisTable, sensitivity_info
from tal_search.results.trials import StudyFrame
from tal_search.study import load_study
from tal_search.trial.trial_types import TrialResult, TrialSpec

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
    for trial in plan.trials:
        value = 30 + 2 * trial.spec.seed + shift.get((trial.cell["lambda_sep"], trial.cell["kernel_size"]), 0.0)
        found[trial.id] = result(trial.spec, value / 100)
    return found


def frame_of(plan: Plan, found: dict[str, TrialResult] | None = None) -> StudyFrame:
    return study_frame(plan, plan.trials, results(plan) if found is None else found)


def tables_of(plan: Plan, found: dict[str, TrialResult] | None = None) -> list[AxisTable]:
    return sensitivity_info(frame_of(plan, found))


def test_means_spreads_and_paired_differences() -> None:
    plan = make_plan()
    tables = tables_of(plan)
    assert [table.axes for table in tables] == [("lambda_sep",), ("kernel_size",)]
    rows = tables[0].rows
    assert rows["lambda_sep"].tolist() == [0.5, 1.0, 2.0]
    assert rows["n"].tolist() == [3, 3, 3]
    assert rows["mAP@0.5"].tolist() == pytest.approx([29, 32, 33])
    half = (rows["mAP@0.5 high"] - rows["mAP@0.5 low"]) / 2
    assert half.tolist() == pytest.approx([4.968] * 3, abs=1e-3)  # 4.303 · 2 / √3
    assert rows["leaky"].tolist() == pytest.approx([29, 32, 33])
    assert rows["average"].tolist() == pytest.approx([29, 32, 33])
    assert rows["delta"].tolist() == pytest.approx([-3, 0, 1])
    assert rows["centre"].tolist() == [False, True, False]
    assert rows["verdict"].tolist() == ["worse", "centre", "better"]
    assert tables[1].rows["delta"].tolist() == pytest.approx([0, 0])
    assert tables[1].rows["verdict"].tolist() == ["centre", "within noise"]
    assert (
        "two single runs of the centre differ by less than 5.5 points 95 times in 100 (from 3 runs" in tables[0].noise
    )


def test_annotation_seconds_stand_beside_cells_that_differ_in_them() -> None:
    one_loss = [
        "dataset.source=simulated",
        "search.axes.frame_weight=[0]",
        "hyperparameters={lambda_sep: 0, beta_aff: 0}",
    ]
    plan = resolve(load_study("thumos_single", one_loss))
    found = {trial.id: result(trial.spec, 0.3) for trial in plan.trials}
    (table,) = tables_of(plan, found)
    clicked = plan.trials[0].annotation_seconds
    assert clicked > 47
    assert table.rows["annotation_seconds"].tolist() == [45, clicked]
    shown = axis_text(plan, table)
    assert [row[shown.heads.index("s/min")] for row in shown.rows] == ["45.0", f"{clicked:.1f}"]
    assert "s/min" not in axis_text(make_plan(), tables_of(make_plan())[0]).heads, "all cells cost the same"


def test_differences_pair_the_repeats_that_both_have() -> None:
    plan = make_plan()
    found = results(plan)
    for trial in plan.trials:
        if trial.cell["lambda_sep"] == 0.5 and trial.spec.seed == 0:
            del found[trial.id]
    row = tables_of(plan, found)[0].rows.iloc[0]
    assert (row["n"], row["mAP@0.5"], row["delta"]) == (2, pytest.approx(30), pytest.approx(-3))


def test_an_unfinished_study_shows_what_it_has() -> None:
    plan = make_plan()
    centre = [trial for trial in plan.trials if trial.cell == plan.centre_cell][:1]
    rows = tables_of(plan, {centre[0].id: result(centre[0].spec, 0.3)})[0].rows
    assert rows["n"].tolist() == [0, 1, 0]
    assert math.isnan(rows["mAP@0.5"].iloc[0])
    assert rows[["mAP@0.5 low", "mAP@0.5 high", "delta low", "p adjusted"]].isna().all(axis=None)
    assert rows["needs"].tolist() == ["", "", ""]
    assert rows["verdict"].tolist() == ["needs repeats", "centre", "needs repeats"]


def test_the_papers_cell_stands_only_at_its_operating_point() -> None:
    plan = make_plan()
    tables = tables_of(plan)
    assert [table.rows["paper"].dropna().tolist() for table in tables] == [[36.3], [36.3]]
    assert tables[0].rows.set_index("lambda_sep")["paper"].notna().tolist() == [False, True, False]
    assert "Table 12" in tables[0].rows.loc[tables[0].rows["centre"], "paper source"].item()
    elsewhere = make_plan("hyperparameters.beta_aff=0.7")
    assert tables_of(elsewhere)[0].rows["paper"].isna().all()


def test_what_all_cells_need_alike_is_said_once() -> None:
    plan = make_plan("search.repeats.seeds=[0]")
    tables = tables_of(plan)
    need = common_need(tables)
    assert need
    verdicts = [row[shown.heads.index("verdict")] for shown in (axis_text(plan, one, need=need) for one in tables)
                for row in shown.rows]  # fmt: skip
    assert sorted(verdicts) == ["", "", "–", "–", "–"]
    assert common_need(tables_of(make_plan())) == "", "nothing is undecided"


def test_a_grid_is_one_table_of_all_cells() -> None:
    plan = make_plan("search.plan=grid", "search.axes={lambda_sep: [1, 2], kernel_size: [3, 5]}")
    (table,) = tables_of(plan)
    assert len(table.rows) == 4
    assert table.axes == ("lambda_sep", "kernel_size")


def test_cells_at_other_inference_settings_have_a_table_and_no_published_number() -> None:
    axes = "search.axes={inference.nms: [0.3, 0.7], lambda_sep: [2]}"
    plan = make_plan("~search.axes", axes)
    found = {trial.id: result(trial.spec, 0.3 + trial.inference["nms"] / 10) for trial in plan.trials}
    assert len(found) == 4 * 3
    assert len(plan.fits) == 2 * 3
    nms, training = tables_of(plan, found)
    assert (nms.title, training.axes) == ("tIoU_NMS (inference.nms)", ("lambda_sep",))
    assert nms.rows["inference.nms"].tolist() == [0.3, 0.55, 0.7]
    assert nms.rows["n"].tolist() == [3, 3, 3]
    assert nms.rows["delta"].tolist() == pytest.approx([-2.5, 0, 1.5])
    assert nms.rows["paper"].fillna(0).tolist() == [0, 36.3, 0]
    assert nms.rows["paper source"].tolist()[::2] == ["not available"] * 2
    shown = axis_text(plan, nms)
    assert [row[shown.heads.index("paper @0.5")] for row in shown.rows] == ["not available", "36.3 †", "not available"]
    elsewhere = make_plan("~search.axes", axes, "inference.nms=0.4")
    assert elsewhere.centre_cell["inference.nms"] == 0.4
    values = {trial.id: result(trial.spec, 0.3) for trial in elsewhere.trials}
    assert all(table.rows["paper"].isna().all() for table in tables_of(elsewhere, values))


def test_epochs_that_were_not_scored_on_the_test_split_leave_no_leaky_number() -> None:
    plan = make_plan()
    found = {name: replace(one, best_on_test_epoch=None, best_on_test_mAP=None) for name, one in results(plan).items()}
    rows = tables_of(plan, found)[0].rows
    assert rows["leaky"].isna().all()
    assert rows["mAP@0.5"].tolist() == pytest.approx([29, 32, 33])


def test_files_and_terminal_say_the_source_and_the_numbers(tmp_path: Path) -> None:
    plan = make_plan()
    tables = tables_of(plan)
    csv, markdown = write_tables(plan, frame_of(plan), tables, tmp_path)
    content = pd.read_csv(csv)
    assert set(content["source"]) == {"simulated"}
    assert content.loc[content["lambda_sep"] == 2, "mAP@0.5"].item() == pytest.approx(33)
    text = markdown.read_text()
    assert "Source: simulated" in text
    assert "| 0.5 | 3 |" in text
    assert "29.0±5.0" in text
    assert "Noise floor at tIoU 0.5: two single runs" in text
    assert "not available" in text
    assert text.count(MARK_NOTE) == 1
    assert "costs 0.5 mAP" in text
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(drawn(axis_text(plan, tables[0]), plan.dataset.description))
    shown = console.export_text()
    assert "simulated THUMOS14" in shown
    assert "-3.0" in shown
    assert "36.3" in shown
    text = axis_text(plan, tables[0])
    assert all(len(row) == len(text.heads) for row in text.rows)
    assert text.bold == (False, True, False)
