"""The run command: trains what is missing of a study, and prints its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Key, parse, parse_leniently
from tal_search.cli.commands import list_studies
from tal_search.cli.commands.study_arguments import STUDY, plan_of
from tal_search.cli.console import console, count
from tal_search.plan.cells import left_out
from tal_search.trial.folder import TrialFolder

if TYPE_CHECKING:
    from rich.console import Console

    from tal_search.plan.plan import Plan

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
USAGE = RUN_USAGE
FLAGS = ("--preview", "--list")
GRAMMAR = Grammar(command="run", keys=STUDY, flags=FLAGS, overrides=True)
LIST = Grammar(command="run", keys={"study": Key()}, flags=FLAGS, overrides=True)  # with --list, no study is needed


def command(arguments: list[str]) -> int:
    """Run, preview or list; returns the exit code. Raises InputError with everything that is wrong."""
    if "--list" in arguments:
        parse(LIST, arguments)
        return list_studies.command([])
    parsed = parse_leniently(GRAMMAR, arguments)
    plan = plan_of(parsed)
    screen = console()
    screen.print(f"Data: {plan.dataset.description}{_known_speeds(plan)}", markup=False, soft_wrap=True)
    missing = left_out(plan.study.search, plan.centre_cell)
    if missing:
        values = ", ".join(f"{axis}={value}" for axis, value in missing.items())
        words = f"The grid leaves out the centre ({values}); it is run too, as the cell that others are compared with."
        screen.print(words, markup=False, soft_wrap=True)
    if "--preview" in parsed.flags:
        return _preview(plan, screen)
    return run_plan(plan, screen)


def _known_speeds(plan: Plan) -> str:
    """Of an earlier run of the study, whether it compares speeds of learning."""
    trials = [] if plan.study.search.plan == "sampler" else plan.trials_of(plan.centre_cell)
    results = {trial.id: TrialFolder.of(plan.study.runs, trial.spec.key).results() for trial in trials}
    known = {name: found[None] for name, found in results.items() if None in found}
    if not known:
        return ""
    from tal_search.plan.plan_frame import speeds, study_frame

    remark = speeds(plan, study_frame(plan, trials, known))
    return f". {remark}" if remark else ""


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


def run_plan(plan: Plan, screen: Console, *, train: bool = True) -> int:
    """Run a plan to its tables; returns the exit code. train: False scores finished fits alone."""
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
