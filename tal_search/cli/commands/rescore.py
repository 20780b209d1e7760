"""The rescore command: further inference settings for the finished fits of a study, without training anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Parsed, parse_leniently
from tal_search.cli.commands.run import run_plan
from tal_search.cli.commands.study_arguments import STUDY, plan_of, study_of
from tal_search.cli.console import console, count, print_wrapped
from tal_search.cli.status_line import working
from tal_search.errors import InputError

if TYPE_CHECKING:
    from tal_search.study import Study

USAGE = """\
tal-search rescore study=NAME inference.NAME=[VALUE,...] ... [KEY=VALUE ...] [--tables]

Scores the finished fits of a planned study with further inference settings, from their kept activations; nothing is
trained. The values become axes of the study for this run; each other KEY=VALUE must be as it was when the study ran.
--tables prints the table of every axis too; the files beside the record have them in any case.
  tal-search rescore study=thumos_grid inference.nms=[0.4,0.5,0.6] inference.outer_margin=[0.1,0.4]
"""


GRAMMAR = Grammar(command="rescore", keys=STUDY, flags=("--tables",), overrides=True)


def command(arguments: list[str]) -> int:
    """Score finished fits further; returns the exit code. Raises InputError with everything that is wrong."""
    (as_it_ran, with_axes), screen = _parsed(arguments), console()
    with working(screen, "reading data") as status:
        refuse_sampler(study_of(as_it_ran))
        plan = plan_of(with_axes)
        left = len(plan.fits) - len(plan.with_finished_fits().fits)
        if left:
            print_wrapped(
                screen, f"Left out, because not trained yet: {count(left, 'fit')} of the study; `run` trains them."
            )
        return run_plan(plan, screen, status, train=False, tables="--tables" in with_axes.flags)


def _parsed(arguments: list[str]) -> tuple[Parsed, Parsed]:
    """The study as it ran, and the same with the wanted settings as axes of it."""
    parsed = parse_leniently(GRAMMAR, arguments)
    wanted = [argument for argument in parsed.overrides if argument.startswith("inference.")]
    problems = [f"command line: {one}: give a list of values, {one.partition('=')[0]}=[...]"
                for one in wanted if not one.partition("=")[2].startswith("[")]  # fmt: skip
    if not wanted:
        problems.append("command line: name at least one inference setting, e.g. inference.nms=[0.4,0.5,0.6]")
    others = tuple(argument for argument in parsed.overrides if argument not in wanted)
    as_it_ran = parsed._replace(overrides=others, problems=(*parsed.problems, *problems))
    return as_it_ran, as_it_ran._replace(overrides=(*others, *(f"search.axes.{one}" for one in wanted)))


def refuse_sampler(study: Study) -> None:
    """Raises InputError for a sampler's study.

    What its cells are compared by is the space it began with; settings from outside would make several cells one.
    """
    if study.search.plan == "sampler":
        raise InputError(
            f"{study.name} is a sampler's study, whose cells are those of its search.space; score its best cell with a "
            "planned study under another name, which takes the finished fits of equal settings: plan: grid, that "
            "cell's hyperparameters, protocol.selection: holdout, and search.axes.inference.NAME=[VALUE,...]"
        )
