"""Summary printed at the end of a run: tables, failed trials, and where to find the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.cli.console import print_line, print_wrapped
from tal_search.cli.progress import describe
from tal_search.data.dataset_spec import SIMULATED_CLICKS
from tal_search.errors import InputError
from tal_search.files.sqlite_files import sqlite_url
from tal_search.text.commands import command_line, named
from tal_search.text.urls import without_passwords
from tal_search.text.words import counted
from tal_search.trial.folder import TrialFolder

if TYPE_CHECKING:
    from rich.console import Console

    from tal_search.execution.running import Outcome
    from tal_search.plan.plan import Plan
    from tal_search.results.sensitivity import AxisTable
    from tal_search.results.trials import StudyFrame


def show_results(plan: Plan, outcome: Outcome, screen: Console, *, tables: bool = False) -> StudyFrame | None:
    """Write the study's tables beside its record and print the overview, or with `tables` all of them.

    Returns the study's data; None if no trial is finished.
    """
    from tal_search.cli.report import write_overview
    from tal_search.plan.plan_frame import study_frame

    data = study_frame(plan, outcome.trials.values(), outcome.finished) if outcome.finished else None
    if data is not None:
        data = replace(data, other_code=_of_other_code(plan))
    if data is not None:
        write_overview(data, plan.study.runs / plan.study.name)
        if plan.study.search.plan == "sampler":
            _show_ranking(plan, data, outcome, screen)
        elif plan.study.search.plan == "cases":
            _show_comparison(plan, data, screen)
        else:
            _show_sensitivity(plan, data, screen, every_table=tables)
        _show_budgets(plan, data, screen)
    shown = set()
    for name, reason in outcome.failed.items():
        spec = outcome.trials[name].spec
        if spec.key not in shown:  # all inference settings of a fit fail together
            log = TrialFolder.of(plan.study.runs, spec.key).log
            print_wrapped(screen, f"Failed: {describe(spec, plan.centre_cell)}: {reason}; log: {log}")
        shown.add(spec.key)
    if outcome.finished:
        _show_dashboards(plan, screen)
    if outcome.finished and plan.study.tracking.mlflow:
        _show_mlflow(plan, screen)
    return data


def _show_budgets(plan: Plan, data: StudyFrame, screen: Console) -> None:
    """Print the best method for a few budgets of annotation time, if the study has label budgets."""
    from tal_search.plan.plan_frame import case_specs
    from tal_search.results.budgets.ladder import ladder
    from tal_search.results.budgets.words import spoken

    found = ladder(data, case_specs(plan))
    if not found.has_budgets:
        return
    where = "the whole training set" if found.unit == "total" else "a minute of video"
    about = f" on {plan.label}" if plan.label else ""
    print_wrapped(screen, f"Best by annotation time for {where}{about} (the view Cost and performance draws all):")
    for sentence in spoken(found):
        print_wrapped(screen, sentence)


def _show_dashboards(plan: Plan, screen: Console) -> None:
    words = named(plan.study.name, plan.study.runs)
    print_line(screen, f"Dashboards: {command_line('dashboard', *words)}")
    print_line(screen, f"As files: {command_line('export', *words, 'out=FOLDER')}")


def _show_sensitivity(plan: Plan, data: StudyFrame, screen: Console, *, every_table: bool) -> None:
    from tal_search.cli.report import below_heading, write_tables
    from tal_search.plan.plan_frame import speeds
    from tal_search.record.description import scored_by
    from tal_search.results.folds.pooling import spread_of
    from tal_search.results.sensitivity import sensitivity_info

    tables, remark = sensitivity_info(data), speeds(plan, data)
    notes = _notes(remark, data)
    csv, markdown = write_tables(plan, data, tables, plan.study.runs / plan.study.name, notes)
    _print_remark(notes, screen)
    answered = _show_overview(data, _about(plan, remark), screen)
    if every_table or not answered:
        print_wrapped(screen, f"mAP in %, {spread_of(data.subjects)}; paper: published numbers, on their own features")
        print_wrapped(screen, below_heading(tables, data.subjects))
        _print_axes(plan, tables, _about(plan, remark), screen)
    print_wrapped(screen, f"Scores: {scored_by(plan)}")
    _name_files(csv, markdown, screen, "" if every_table or not answered else "; --tables prints them")


def _show_overview(data: StudyFrame, about: str, screen: Console) -> bool:
    """Print the answer, a bar per axis, and what to run next; returns whether there is anything to rank.

    about: description of the data; empty if a table has shown the rows already.
    """
    from tal_search.cli.overview_text import legend, next_lines, overview_text
    from tal_search.results.overview import answer, overview

    info = overview(data)
    if about:
        screen.print()
        print_wrapped(screen, f"{data.name} — {about}")
    for sentence in answer(info):
        print_wrapped(screen, sentence)
    if about and len(info.ranking):
        screen.print()
        screen.print(overview_text(info))
        print_wrapped(screen, legend(info))
    lines = next_lines(info)
    for line in ["", *lines, ""] if lines else []:
        print_line(screen, line)
    return len(info.ranking) > 0


def _print_axes(plan: Plan, tables: list[AxisTable], about: str, screen: Console) -> None:
    """Print a table per axis, and below them the notes for all."""
    from tal_search.cli.report import SHOWN_ROWS, axis_text, common_need, mark_note
    from tal_search.cli.text_table import drawn
    from tal_search.results.published import NOT_AVAILABLE

    need = common_need(tables)
    texts = [axis_text(plan, table, SHOWN_ROWS, need) for table in tables]
    unpublished = any(row[-1] == NOT_AVAILABLE for text in texts for row in text.rows)
    for text in texts:
        rows = [[*row[:-1], "–" if row[-1] == NOT_AVAILABLE else row[-1]] for row in text.rows]
        screen.print(drawn(text._replace(rows=rows), about, screen.width))
    notes = [mark_note(texts), f"Verdict –: needs {need}." if need else "", "Paper –: no number published."]
    print_wrapped(screen, " ".join(note for note in notes[: 3 if unpublished else 2] if note))


def _name_files(csv: Path, markdown: Path, screen: Console, more: str = "") -> None:
    print_line(screen, f"Tables: {csv}, {markdown.name}{more}")


def _show_comparison(plan: Plan, data: StudyFrame, screen: Console) -> None:
    from tal_search.cli.report import comparison_text, write_comparison
    from tal_search.cli.text_table import drawn
    from tal_search.plan.plan_frame import speeds, supervision_words
    from tal_search.record.description import scored_by
    from tal_search.results.case_comparison import comparison_info
    from tal_search.results.folds.pooling import spread_of

    compared, remark = comparison_info(data, supervision_words(plan)), speeds(plan, data)
    notes = _notes(remark, data)
    csv, markdown = write_comparison(plan, compared, plan.study.runs / plan.study.name, notes)
    _print_remark(notes, screen)
    print_wrapped(screen, f"mAP in %, {spread_of(data.subjects)}; paper: published numbers, on their own features")
    screen.print(drawn(comparison_text(compared, data.subjects), _about(plan, remark), screen.width))
    print_wrapped(screen, f"Scores: {scored_by(plan)}")
    _show_overview(data, "", screen)
    _name_files(csv, markdown, screen)


def _show_ranking(plan: Plan, data: StudyFrame, outcome: Outcome, screen: Console) -> None:
    from tal_search.cli.report import ranking_text, write_ranking
    from tal_search.cli.text_table import drawn
    from tal_search.plan.plan_frame import speeds
    from tal_search.record.description import scored_by
    from tal_search.results.ranking import ranking

    ranked, remark = ranking(data), speeds(plan, data)
    notes = _notes(remark, data)
    csv, markdown = write_ranking(plan, ranked, plan.study.runs / plan.study.name, notes)
    _print_remark(notes, screen)
    _show_overview(data, _about(plan, remark), screen)
    print_wrapped(screen, f"Scores: {scored_by(plan)}")
    screen.print(drawn(ranking_text(plan, ranked), _about(plan, remark), screen.width))
    if outcome.pruned:
        screen.print(f"{counted(len(outcome.pruned), 'trial')} stopped early; their curves are in the record.")
    _name_files(csv, markdown, screen)


def _of_other_code(plan: Plan) -> int:
    """How many trials of the record the tables leave out, because other code trained them."""
    from tal_search.record.description import code_versions
    from tal_search.record.record_reader import RecordReader, recorded_studies, trials_of_one_code

    if plan.study.name not in recorded_studies(plan.study.runs):
        return 0
    wanted = ("id", "cell", "annotator", "seed", "fold", "method", "code_version")
    try:
        rows, _ = RecordReader(plan.study.runs / plan.study.name, wanted=wanted).rows()
    except InputError:  # a server whose password only this run knows, which the folder does not keep
        return 0
    return trials_of_one_code(rows.values(), code_versions(plan))[1]


def _notes(remark: str, data: StudyFrame) -> str:
    """The notes above every table: on speeds of learning, on trials without detections, and on folds."""
    from tal_search.results.folds.pooling import folds_note
    from tal_search.results.trials import code_note, silent_note

    return " ".join(note for note in (remark, code_note(data), silent_note(data), folds_note(data)) if note)


def _print_remark(remark: str, screen: Console) -> None:
    if remark:
        print_wrapped(screen, remark)


def _about(plan: Plan, remark: str) -> str:
    """A short description of the data for table titles; the run's first line has the full one."""
    simulated = plan.dataset.source == "simulated"
    about = plan.dataset.description.partition(" (" if simulated else ";")[0]
    about += f"; {plan.label}" if plan.label == SIMULATED_CLICKS else ""
    return about + ("; speeds of learning" if remark else "")


def _show_mlflow(plan: Plan, screen: Console) -> None:
    server = plan.study.tracking.server_page
    uri = without_passwords(plan.study.tracking.uri or sqlite_url(plan.study.runs / "mlflow.db"))
    page = "/#/experiments?workflowType=machine_learning"
    shown = f"{server}{page}" if server else command_line("ui", "--backend-store-uri", uri, program="mlflow")
    print_line(screen, f"MLflow: {shown}")
