"""The doors: argument strings in, exit codes out (0 done, 1 failed, 2 bad input, 130 interrupted)."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tal_search import evaluate_door
from tal_search.errors import InputError, TalSearchError
from tal_search.terminal import console

if TYPE_CHECKING:
    from rich.console import Console

    from tal_search.search.driver import Outcome
    from tal_search.search.plan import Plan

USAGE = """\
Hyperparameter studies for temporal action localization.

  tal-search run study=NAME [KEY=VALUE ...]   train what is missing of studies/NAME.yaml, then print its tables
  tal-search run study=NAME --preview         what that would do: cells, repeats, already done, estimated time
  tal-search run --list                       the studies, one line each
  tal-search evaluate KEY=VALUE ...           mAP of a detection file or of a released checkpoint
  tal-search COMMAND --help

`python -m tal_search.run` is `tal-search run`.
"""
RUN_USAGE = """\
tal-search run study=NAME [KEY=VALUE ...] [--preview | --list]

KEY=VALUE overrides a key of studies/NAME.yaml, in Hydra's grammar:
  search.repeats.seeds=[0,1,2]       repeats are seeds × annotators
  dataset.root=PATH                  features in BackTAL's layout; without them a simulated set is used, and says so
  hyperparameters.epochs=10          any hyperparameter of the method
  ~search.axes.kernel_size           drop an axis
  backend=inline                     this process instead of Ray
The same command again continues: only what is missing is trained.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands: dict[str, tuple[Callable[[list[str]], int], str]] = {
        "run": (_run, RUN_USAGE),
        "evaluate": (evaluate_door.command, evaluate_door.USAGE),
    }
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name not in commands:
        near = difflib.get_close_matches(name, commands, 1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; the commands are {', '.join(commands)}"
        sys.stderr.write(f"'{name}' is not a command{hint}\n")
        return 2
    command, usage = commands[name]
    if "-h" in rest or "--help" in rest or not rest:
        sys.stdout.write(usage)
        return 0 if rest else 2
    try:
        return command(rest)
    except TalSearchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    from tal_search.study import list_studies, load_study

    flags = [argument for argument in arguments if argument.startswith("--")]
    unknown = [flag for flag in flags if flag not in ("--list", "--preview")]
    if unknown:
        raise InputError(f"{flag} is not an option; the options are --preview, --list and --help" for flag in unknown)
    if "--list" in flags:
        studies = list_studies()
        width = max((len(name) for name, _ in studies), default=0)
        sys.stdout.writelines(f"{name:{width}}  {description}\n" for name, description in studies)
        return 0
    names = [argument for argument in arguments if argument.startswith("study=")]
    if len(names) != 1:
        raise InputError("name one study, e.g. study=thumos_grid; --list shows them")
    overrides = [argument for argument in arguments if argument not in (*flags, *names)]

    from tal_search.search.plan import resolve

    plan = resolve(load_study(names[0].removeprefix("study="), overrides))
    screen = console()
    screen.print(f"Data: {plan.dataset.description}", markup=False, soft_wrap=True)
    if "--preview" in flags:
        return _preview(plan, screen)
    return _run_plan(plan, screen)


def _preview(plan: Plan, screen: Console) -> int:
    from tal_search.search.plan import preview

    found = preview(plan)
    time = "unknown until a first trial is recorded" if found.seconds is None else f"{found.seconds / 60:.1f} min"
    screen.print(
        f"{plan.study.name}: {_count(found.cells, 'cell')} × {_count(found.repeats, 'repeat')} = "
        f"{_count(found.trials, 'trial')}; "
        f"{found.done} already done, {found.to_run} to run; estimated time: {time}",
        markup=False,
        soft_wrap=True,
    )
    return 0


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _run_plan(plan: Plan, screen: Console) -> int:
    from tal_search.search.driver import run_study
    from tal_search.view import StudyView

    with StudyView(screen, plan) as view:
        outcome = run_study(plan, on_event=view.add)
    for message in outcome.messages:
        screen.print(message, markup=False, soft_wrap=True)
    _show_results(plan, outcome, screen)
    if outcome.interrupted:
        screen.print("Interrupted; checkpoints are written. The same command continues.")
        return 130
    return 1 if outcome.failed else 0


def _show_results(plan: Plan, outcome: Outcome, screen: Console) -> None:
    from tal_search.search.report import terminal_table, write_tables
    from tal_search.search.sensitivity import sensitivity_info
    from tal_search.trial_folder import TrialFolder
    from tal_search.view import describe

    runs = plan.study.runs
    if outcome.finished:
        tables = sensitivity_info(plan, outcome.finished)
        csv, markdown = write_tables(plan, tables, runs / plan.study.name)
        screen.print("mAP in %, mean ± standard deviation over repeats; paper: published numbers, on I3D", markup=False)
        for table in tables:
            screen.print(terminal_table(plan, table))
        screen.print(f"Tables: {csv} and {markdown}", markup=False, soft_wrap=True)
        if all((table.rows["n"] <= 1).all() for table in tables):
            screen.print(
                "One repeat a cell: a difference may be noise. More: search.repeats.seeds=[0,1,2]", markup=False
            )
    for key, (spec, reason) in outcome.failed.items():
        screen.print(
            f"Failed: {describe(spec, plan.centre_cell)}: {reason}; log: {TrialFolder.of(runs, key).log}",
            markup=False,
            soft_wrap=True,
        )
    if plan.study.tracking.mlflow:
        uri = plan.study.tracking.uri or f"sqlite:///{runs / 'mlflow.db'}"
        server = uri if uri.startswith("http") else "http://127.0.0.1:5000"
        if server != uri:
            screen.print(f"Next: mlflow ui --backend-store-uri {uri}", markup=False, soft_wrap=True)
        screen.print(f"Then open {server}/#/experiments?workflowType=machine_learning", markup=False, soft_wrap=True)
