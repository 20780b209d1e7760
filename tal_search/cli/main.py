"""The doors: argument strings in, exit codes out (0 done, 1 failed, 2 bad input, 130 interrupted)."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tal_search.cli.commands import (
    clicks as clicks_door,
)
from tal_search.cli.commands import (
    complexity as complexity_door,
)
from tal_search.cli.commands import (
    dashboard as dashboards_door,
)
from tal_search.cli.commands import (
    data as data_door,
)
from tal_search.cli.commands import (
    evaluate as evaluate_door,
)
from tal_search.cli.commands import (
    gc as gc_door,
)
from tal_search.cli.commands import (
    rescore as rescore_door,
)
from tal_search.cli.console import console, count
from tal_search.errors import InputError, Interrupted, TalSearchError

if TYPE_CHECKING:
    from rich.console import Console

    from tal_search.plan.plan import Plan
    from tal_search.study import Study

USAGE = """\
Hyperparameter studies for temporal action localization.

  tal-search run study=NAME [KEY=VALUE ...]   train what is missing of studies/NAME.yaml, then print its tables
  tal-search run study=NAME --preview         what that would do: cells, repeats, already done, estimated time
  tal-search run --list                       the studies, one line each
  tal-search rescore study=NAME inference.nms=[...]   further inference settings for finished fits, nothing trained
  tal-search rebuild study=NAME               make MLflow's copy of a study again, from the record
  tal-search gc                               trial folders and arrays that no study refers to
  tal-search evaluate KEY=VALUE ...           mAP of a detection file or of a released checkpoint
  tal-search complexity method=NAME|all       parameters and multiply-adds per video
  tal-search dashboard [study=NAME]           what a study found, in a browser, live while it runs
  tal-search export study=NAME out=FOLDER     the same as files: HTML, CSV, LaTeX, pictures
  tal-search data check ROOT                  what is in a dataset, or all that is wrong; `data convert`
  tal-search clicks stats FILE ...            what click files hold: misses, slips, positions
  tal-search COMMAND --help

`python -m tal_search.run` is `tal-search run`.
"""
REBUILD_USAGE = """\
tal-search rebuild study=NAME [KEY=VALUE ...]

Makes MLflow's copy of a study complete, or new where it is gone, from the study's record and its trial folders.
KEY=VALUE as for `run`, for instance runs=FOLDER or tracking.uri=URL.
"""
RUN_USAGE = """\
tal-search run study=NAME [KEY=VALUE ...] [--preview | --list]

KEY=VALUE overrides a key of studies/NAME.yaml, in Hydra's grammar:
  search.repeats.seeds=[0,1,2]       repeats are seeds × annotators
  dataset.root=PATH                  features in BackTAL's layout; without them a simulated set is used, and says so
  hyperparameters.epochs=10          any hyperparameter of the method
  ~search.axes.kernel_size           drop an axis
  backend=inline                     this process instead of Ray
  budget.minutes=30                  stop after half an hour; the same command continues
  study.fork=NAME                    begin anew under another name; equal trials are not trained again
The same command again continues: only what is missing is trained.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands: dict[str, tuple[Callable[[list[str]], int], str]] = {
        "run": (_run, RUN_USAGE),
        "rescore": (_rescore, rescore_door.USAGE),
        "rebuild": (_rebuild, REBUILD_USAGE),
        "gc": (gc_door.command, gc_door.USAGE),
        "complexity": (complexity_door.command, complexity_door.USAGE),
        "evaluate": (evaluate_door.command, evaluate_door.USAGE),
        "dashboard": (dashboards_door.dashboard, dashboards_door.DASHBOARD_USAGE),
        "export": (dashboards_door.export, dashboards_door.EXPORT_USAGE),
        "clicks": (clicks_door.command, clicks_door.USAGE),
        "data": (data_door.command, data_door.USAGE),
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
    if "-h" in rest or "--help" in rest or (not rest and name not in ("gc", "dashboard")):
        sys.stdout.write(usage)
        return 0 if rest else 2
    try:
        return command(rest)
    except TalSearchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except Interrupted as interrupted:
        return interrupted.exit_code
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    from tal_search.study import list_studies

    flags = [argument for argument in arguments if argument.startswith("--")]
    unknown = [flag for flag in flags if flag not in ("--list", "--preview")]
    if unknown:
        raise InputError(f"{flag} is not an option; the options are --preview, --list and --help" for flag in unknown)
    if "--list" in flags:
        studies = list_studies()
        width = max((len(name) for name, _ in studies), default=0)
        sys.stdout.writelines(f"{name:{width}}  {description}\n" for name, description in studies)
        return 0
    plan = _plan([argument for argument in arguments if argument not in flags])
    screen = console()
    screen.print(f"Data: {plan.dataset.description}", markup=False, soft_wrap=True)
    if "--preview" in flags:
        return _preview(plan, screen)
    return _run_plan(plan, screen)


def _plan(arguments: list[str]) -> Plan:
    """The plan of study=NAME with its overrides."""
    study = _study(arguments)

    from tal_search.plan.plan import resolve

    return resolve(study)


def _study(arguments: list[str]) -> Study:
    from tal_search.study import load_study

    names = [argument for argument in arguments if argument.startswith("study=")]
    if len(names) != 1:
        raise InputError("name one study, e.g. study=thumos_grid; `tal-search run --list` shows them")
    overrides = [argument for argument in arguments if argument not in names]
    return load_study(names[0].removeprefix("study="), overrides)


def _rescore(arguments: list[str]) -> int:
    as_it_ran, axes = rescore_door.overrides_of(arguments)
    rescore_door.refuse_sampler(_study(as_it_ran))
    plan = _plan([*as_it_ran, *axes])
    screen = console()
    left = len(plan.fits) - len(plan.with_finished_fits().fits)
    if left:
        screen.print(f"Left out, because not trained yet: {count(left, 'fit')} of the study; `run` trains them.")
    return _run_plan(plan, screen, train=False)


def _rebuild(arguments: list[str]) -> int:
    from tal_search.tracking.rebuild import rebuild

    sentence = rebuild(_plan(arguments))
    console().print(sentence, markup=False, soft_wrap=True)
    return 0


def _preview(plan: Plan, screen: Console) -> int:
    from tal_search.plan.preview import preview, sampler_sentence

    if plan.study.search.plan == "sampler":
        screen.print(sampler_sentence(plan), markup=False, soft_wrap=True)
        return 0
    found = preview(plan)
    time = "unknown until a first trial is recorded" if found.seconds is None else f"{found.seconds / 60:.1f} min"
    # Cells that read no clicks have no annotators to be repeated over.
    equal = "=" if found.cells * found.repeats == found.trials else "at most,"
    screen.print(
        f"{plan.study.name}: {count(found.cells, 'cell')} × {count(found.repeats, 'repeat')} {equal} "
        f"{count(found.trials, 'trial')} in {count(found.groups, 'fit')}; {found.cached} trials cached, "
        f"{found.inference_only} to score from kept activations, {count(found.to_train, 'fit')} to train; "
        f"estimated time: {time}",
        markup=False,
        soft_wrap=True,
    )
    return 0


def _run_plan(plan: Plan, screen: Console, *, train: bool = True) -> int:
    from tal_search.cli.progress import StudyView
    from tal_search.cli.summary import show_results
    from tal_search.execution.driver import run_study

    with StudyView(screen, plan) as view:
        outcome = run_study(plan, on_event=view.add, say=view.say, train=train)
    for message in outcome.messages:
        screen.print(message, markup=False, soft_wrap=True)
    show_results(plan, outcome, screen)
    if outcome.interrupted is not None:
        screen.print("Interrupted; checkpoints are written. The same command continues.")
        return outcome.interrupted
    if outcome.out_of_time and (outcome.left or plan.study.search.plan == "sampler"):
        screen.print(
            f"The time budget of {plan.study.budget.minutes:g} minutes is spent; checkpoints are written. "
            "The same command continues.",
            soft_wrap=True,
        )
    elif outcome.left:
        screen.print(
            f"budget.trials={plan.study.budget.trials} is spent: {count(outcome.left, 'trial')} of the plan not run.",
            soft_wrap=True,
        )
    return 1 if outcome.failed else 0
