"""The end of a run, in 80 columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.cli.summary import show_results
from tal_search.execution.running import Outcome
from tests.support.consoles import lines, terminal
from tests.support.small_dashboards import Made
from tests.support.small_plans import planned
from tests.support.small_trials import make_result


@pytest.mark.parametrize("tables", [False, True])
def test_the_end_of_a_run_fits_a_terminal_of_80_columns(swept: Made, tables: bool) -> None:
    console = terminal()
    show_results(swept.plan, swept.outcome, console, tables=tables)
    printed = lines(console)
    assert max(len(line) for line in printed if str(swept.runs) not in line) <= 80
    text = "\n".join(printed)
    assert "worst to best value" in text
    axes = [line for line in printed if " — simulated" in line]
    assert len(axes) == (1 + len(swept.plan.axes) if tables else 1)
    assert text.count("no number published") == tables, "once for all"
    assert text.count("--tables") == (not tables)
    assert [line.split(":")[0] for line in printed[-3:]] == ["Tables", "Dashboards", "As files"]


def test_the_best_methods_for_a_time_are_named_with_the_label_of_the_study(tmp_path: Path) -> None:
    axes = ("~search.axes", "search.axes={supervision.videos:[0.5,1.0]}", "search.repeats.seeds=[0,1,2]")
    plan = planned("quickstart", *axes, f"runs={tmp_path}", "protocol.tiou=0.3:0.7:0.2")
    results = {trial.id: make_result(trial.spec) for trial in plan.trials}
    trials = {trial.id: trial for trial in plan.trials}
    outcome = Outcome(
        trials=trials, finished=results, failed={}, pruned={}, cached=0, interrupted=None, out_of_time=False, left=0,
        messages=(),
    )  # fmt: skip
    (tmp_path / "quickstart").mkdir()
    heads = {}
    for source in ("simulated", "features"):
        labelled = replace(plan, dataset=replace(plan.dataset, source=source))
        console = terminal()
        show_results(labelled, outcome, console)
        text = " ".join(" ".join(lines(console)).split())
        heads[source] = text[text.index("Best by annotation time for") :]
    assert heads["simulated"].startswith("Best by annotation time for the whole training set on simulated data (the")
    assert heads["features"].startswith("Best by annotation time for the whole training set (the view Cost and")
    assert "has the highest mean, mAP@0.5 " in heads["simulated"]


def test_a_study_without_label_budgets_names_no_method_for_a_time(swept: Made) -> None:
    console = terminal()
    show_results(swept.plan, swept.outcome, console)
    assert "annotation time" not in "\n".join(lines(console))
