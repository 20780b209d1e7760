"""What a command that ran a study prints at its end: the tables, what failed, and where the rest is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.cli.console import count
from tal_search.cli.progress import describe
from tal_search.trial.folder import TrialFolder

if TYPE_CHECKING:
    from rich.console import Console

    from tal_search.execution.running import Outcome
    from tal_search.plan.plan import Plan


ONE_REPEAT = "One repeat a cell: a difference may be noise. More: search.repeats.seeds=[0,1,2]"


def show_results(plan: Plan, outcome: Outcome, screen: Console) -> None:
    """Print the study's tables, as its plan has them, and write them beside its record."""
    if outcome.finished:
        show = {"sampler": _show_ranking, "cases": _show_comparison}.get(plan.study.search.plan, _show_sensitivity)
        show(plan, outcome, screen)
    shown = set()
    for name, reason in outcome.failed.items():
        spec = outcome.trials[name].spec
        if spec.key not in shown:  # a fit's further inference settings fail with it
            log = TrialFolder.of(plan.study.runs, spec.key).log
            screen.print(
                f"Failed: {describe(spec, plan.centre_cell)}: {reason}; log: {log}", markup=False, soft_wrap=True
            )
        shown.add(spec.key)
    if plan.study.tracking.mlflow:
        _show_mlflow(plan, screen)
    _show_dashboards(plan, screen)


def _show_dashboards(plan: Plan, screen: Console) -> None:
    named = f"study={plan.study.name}" + ("" if plan.study.runs == Path("runs") else f" runs={plan.study.runs}")
    screen.print(f"Dashboards: tal-search dashboard {named}", markup=False, soft_wrap=True)
    screen.print(f"As files: tal-search export {named} out=FOLDER", markup=False, soft_wrap=True)


def _show_sensitivity(plan: Plan, outcome: Outcome, screen: Console) -> None:
    from tal_search.cli.report import SHOWN_ROWS, axes_text, axis_text, below_heading, write_tables
    from tal_search.cli.text_table import drawn
    from tal_search.plan.plan_frame import speeds, study_frame
    from tal_search.record.description import scored_by
    from tal_search.results.sensitivity import sensitivity_info
    from tal_search.results.statistics import SPREAD

    data = study_frame(plan, outcome.trials.values(), outcome.finished)
    tables, remark = sensitivity_info(data), speeds(plan, data)
    _say(remark, screen)
    csv, markdown = write_tables(plan, data, tables, plan.study.runs / plan.study.name, remark)
    screen.print(f"mAP in %, {SPREAD}; paper: published numbers, on I3D", markup=False)
    screen.print(f"Scores: {scored_by(plan)}", markup=False)
    screen.print(below_heading(tables), markup=False)
    axes = axes_text(data)
    if axes:
        screen.print(drawn(axes, _about(plan, remark)))
    for table in tables:
        screen.print(drawn(axis_text(plan, table, SHOWN_ROWS), _about(plan, remark)))
    screen.print(f"Tables: {csv} and {markdown}", markup=False, soft_wrap=True)
    if all((table.rows["n"] <= 1).all() for table in tables):
        screen.print(ONE_REPEAT, markup=False)


def _show_comparison(plan: Plan, outcome: Outcome, screen: Console) -> None:
    from tal_search.cli.report import comparison_text, write_comparison
    from tal_search.cli.text_table import drawn
    from tal_search.plan.plan_frame import speeds, study_frame, supervision_words
    from tal_search.record.description import scored_by
    from tal_search.results.case_comparison import comparison_info
    from tal_search.results.statistics import SPREAD

    data = study_frame(plan, outcome.trials.values(), outcome.finished)
    found, remark = comparison_info(data, supervision_words(plan)), speeds(plan, data)
    csv, markdown = write_comparison(plan, found, plan.study.runs / plan.study.name, remark)
    _say(remark, screen)
    screen.print(f"mAP in %, {SPREAD}; paper: published numbers, on I3D", markup=False)
    screen.print(f"Scores: {scored_by(plan)}", markup=False)
    screen.print(drawn(comparison_text(found), _about(plan, remark)))
    screen.print(f"Table: {csv} and {markdown}", markup=False, soft_wrap=True)
    if (found.rows["n"] <= 1).all():
        screen.print(ONE_REPEAT, markup=False)


def _show_ranking(plan: Plan, outcome: Outcome, screen: Console) -> None:
    from tal_search.cli.report import ranking_text, write_ranking
    from tal_search.cli.text_table import drawn
    from tal_search.plan.plan_frame import speeds, study_frame
    from tal_search.record.description import scored_by
    from tal_search.results.ranking import ranking

    data = study_frame(plan, outcome.trials.values(), outcome.finished)
    found, remark = ranking(data), speeds(plan, data)
    csv, markdown = write_ranking(plan, found, plan.study.runs / plan.study.name, remark)
    _say(remark, screen)
    screen.print(f"Scores: {scored_by(plan)}", markup=False)
    screen.print(drawn(ranking_text(plan, found), _about(plan, remark)))
    if outcome.pruned:
        screen.print(f"{count(len(outcome.pruned), 'trial')} stopped early; their curves are in the record.")
    screen.print(f"Tables: {csv} and {markdown}", markup=False, soft_wrap=True)


def _say(remark: str, screen: Console) -> None:
    if remark:
        screen.print(remark, markup=False)


def _about(plan: Plan, remark: str) -> str:
    """What stands behind a table's title."""
    return plan.dataset.description + ("; speeds of learning" if remark else "")


def _show_mlflow(plan: Plan, screen: Console) -> None:
    uri = plan.study.tracking.uri or f"sqlite:///{plan.study.runs / 'mlflow.db'}"
    server = plan.study.tracking.server_page
    if not server:
        screen.print(f"Next: mlflow ui --backend-store-uri {uri}", markup=False, soft_wrap=True)
    screen.print(
        f"Then open {server or 'http://127.0.0.1:5000'}/#/experiments?workflowType=machine_learning",
        markup=False,
        soft_wrap=True,
    )
