"""The run command: trains the missing fits of a study and prints the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Key, parse, parse_leniently
from tal_search.cli.commands import list_studies
from tal_search.cli.commands.study_arguments import STUDY, plan_of
from tal_search.cli.console import console, print_wrapped
from tal_search.cli.status_line import StatusLine, working
from tal_search.errors import InputError
from tal_search.text.words import counted

if TYPE_CHECKING:
    from rich.console import Console

    from tal_search.plan.plan import Plan
    from tal_search.results.trials import StudyFrame

RUN_USAGE = """\
tal-search run study=NAME [KEY=VALUE ...] [--tables | --preview | --list]

Trains the study of studies/NAME.yaml, prints the results and writes tables. The
same command again continues: only what is missing is trained. Ctrl-C stops
after saving checkpoints; a second Ctrl-C stops at once, and the last
checkpoints remain.

KEY=VALUE overrides a key of the study, in Hydra's grammar:
  search.repeats.seeds=[0,1,2]    repeats are seeds × annotators
  dataset.folds={by: REGEX, of: N}   N folds over the subjects in videos' names
  dataset.root=PATH               features (docs/datasets.md has the layouts);
                                  by default data/NAME, and simulated data where
                                  that has none
  hyperparameters.epochs=10       any hyperparameter of the method
  ~search.axes.kernel_size        drop an axis
  backend=inline                  run in this process instead of Ray
  budget.minutes=30               stop after half an hour
  study.fork=NAME                 new study under another name; equal trials are
                                  not trained again

  --preview   check the data, count cells, repeats and fits; estimate the time
  --tables    also print the table of every axis; the files always have them
  --list      list the studies, as `tal-search list`
"""
USAGE = RUN_USAGE
FLAGS = ("--preview", "--list")
GRAMMAR = Grammar(command="run", keys=STUDY, flags=(*FLAGS, "--tables"), overrides=True)
LIST = Grammar(command="run", keys={"study": Key()}, flags=FLAGS, overrides=True)  # --list needs no study


def command(arguments: list[str]) -> int:
    """Run, preview or list; returns the exit code. Raises InputError with all problems.

    Slow imports come after the status line is shown.
    """
    if "--list" in arguments:
        parse(LIST, arguments)
        return list_studies.command([])
    parsed, screen = parse_leniently(GRAMMAR, arguments), console()
    with working(screen, "reading data") as status:
        plan = plan_of(parsed)

        from tal_search.plan.cells import left_out
        from tal_search.plan.preset_words import preset_words, sampling_words

        print_wrapped(screen, f"Data: {plan.dataset.description}{_known_speeds(plan)}")
        print_wrapped(screen, preset_words(plan))
        if sampling := sampling_words(plan):
            print_wrapped(screen, sampling)
        missing = left_out(plan.study.search, plan.centre_cell)
        if missing:
            values = ", ".join(f"{axis}={value}" for axis, value in missing.items())
            words = "it is run as well, because the other cells are compared with it."
            print_wrapped(screen, f"The grid does not contain the centre ({values}); {words}")
        if "--preview" in parsed.flags:
            return _preview(plan, screen, status)
        return run_plan(plan, screen, status, tables="--tables" in parsed.flags)


def _known_speeds(plan: Plan) -> str:
    """A remark from earlier results: whether the study compares speeds of learning. Empty if it does not."""
    from tal_search.trial.folder import TrialFolder

    trials = [] if plan.study.search.plan == "sampler" else plan.trials_of(plan.centre_cell)
    results = {trial.id: TrialFolder.of(plan.study.runs, trial.spec.key).results() for trial in trials}
    known = {name: scored[None] for name, scored in results.items() if None in scored}
    if not known:
        return ""
    from tal_search.plan.plan_frame import speeds, study_frame

    remark = speeds(plan, study_frame(plan, trials, known))
    return f". {remark}" if remark else ""


def _preview(plan: Plan, screen: Console, status: StatusLine) -> int:
    """Check the data as a run does, and print the counts."""
    from tal_search.plan.compatibility import fixed_settings
    from tal_search.plan.data_check import check_data
    from tal_search.plan.preview import preview, sampler_sentence
    from tal_search.record.record_reader import RecordReader, recorded_studies
    from tal_search.trial.mend import listed

    status.enter("checking data")
    for note in check_data(plan):
        print_wrapped(screen, note)
    record = RecordReader(plan.study.runs / plan.study.name)
    if (damage := record.damage()) is not None:
        print_wrapped(screen, f"{damage}.")
    elif plan.study.name in recorded_studies(plan.study.runs):
        from tal_search.record.storage import settings_to_keep, shown  # imports Optuna

        where = plan.study.record or plan.study.runs / plan.study.name / "record.db"
        try:
            settings_to_keep(record.settings(), plan.study.name, fixed_settings(plan))
        except InputError as error:  # as the run refuses it
            raise InputError(f"{shown(where)}: {error}") from None
    if plan.study.search.plan == "sampler":
        print_wrapped(screen, sampler_sentence(plan))
        return 0
    counts = preview(plan)
    for sentence in listed(list(counts.damaged)):
        print_wrapped(screen, sentence)
    time = "unknown until a first trial is recorded" if counts.seconds is None else f"{counts.seconds / 60:.1f} min"
    # Cells that read no clicks are not repeated over annotators.
    equal = "=" if counts.cells * counts.repeats * len(plan.folds) == counts.trials else "at most,"
    folds = f" × {counted(len(plan.folds), 'fold')}" if plan.dataset.folds else ""
    print_wrapped(
        screen,
        f"{plan.study.name}: {counted(counts.cells, 'cell')} × {counted(counts.repeats, 'repeat')}{folds} {equal} "
        f"{counted(counts.trials, 'trial')} in {counted(counts.groups, 'fit')}; {counts.cached} trials cached, "
        f"{counts.inference_only} to score from kept activations, {counted(counts.to_train, 'fit')} to train; "
        f"estimated time: {time}",
    )
    return 0


def run_plan(plan: Plan, screen: Console, status: StatusLine, *, train: bool = True, tables: bool = False) -> int:
    """Run a plan and show its tables; returns the exit code.

    train: False only scores finished fits. tables: whether to print the table of every axis.
    """
    status.enter("loading libraries")
    from tal_search.cli.progress import StudyView
    from tal_search.cli.summary import show_results
    from tal_search.execution.driver import run_study
    from tal_search.files.disk import DiskWatch

    with StudyView(screen, plan, status, "training" if train else "scoring") as view:
        outcome = run_study(plan, on_event=view.add, say=view.say, on_phase=view.phase, train=train)
    for message in outcome.messages:
        print_wrapped(screen, message)
    status.enter("writing tables")
    with DiskWatch(plan.study.runs, view.say):
        data = show_results(plan, outcome, screen, tables=tables)
    if data is not None and plan.study.tracking.mlflow and outcome.copied:
        _publish(plan, data, screen, interrupted=outcome.interrupted is not None)
    if outcome.interrupted is not None:
        screen.print("Interrupted; checkpoints are written. The same command continues.")
        return outcome.interrupted
    if outcome.out_of_time and (outcome.left or plan.study.search.plan == "sampler"):
        spent = f"The time budget of {plan.study.budget.minutes:g} minutes is spent; checkpoints are written."
        print_wrapped(screen, f"{spent} The same command continues.")
    elif outcome.left:
        trials = counted(outcome.left, "trial")
        print_wrapped(screen, f"budget.trials={plan.study.budget.trials} is spent: {trials} of the plan not run.")
    return 1 if outcome.failed else 0


def _publish(plan: Plan, data: StudyFrame, screen: Console, *, interrupted: bool) -> None:
    """Send the study's results to its MLflow run, and print a sentence if that fails.

    An interrupted command skips the figure, which takes seconds.
    """
    from tal_search.cli.report import write_overview_figure
    from tal_search.tracking.publish import INTERRUPTED_SECONDS, PUBLISH_SECONDS, publish

    if not interrupted:
        write_overview_figure(data, plan.study.runs / plan.study.name)
    message = publish(plan, data, seconds=INTERRUPTED_SECONDS if interrupted else PUBLISH_SECONDS)
    if message:
        print_wrapped(screen, message)
