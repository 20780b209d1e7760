"""The rescore command: scores the finished fits of a study with further inference settings, without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Parsed, parse_leniently
from tal_search.cli.commands.run import run_plan
from tal_search.cli.commands.study_arguments import STUDY, plan_of, study_of
from tal_search.cli.console import console, print_wrapped
from tal_search.cli.status_line import working
from tal_search.errors import InputError
from tal_search.text.words import counted

if TYPE_CHECKING:
    from tal_search.study import Study

USAGE = """\
tal-search rescore study=NAME inference.NAME=[VALUE,...] ... [KEY=VALUE ...]
                   [--tables]

Scores the finished fits of a study with further inference settings. Nothing is
trained: activations are kept with every fit. The values become axes of the
study for this run; any other KEY=VALUE must be the same as when the study ran.
--tables also prints the table of every axis; the files always have them.

Example:
  tal-search rescore study=thumos_grid inference.nms=[0.4,0.5,0.6]
"""


GRAMMAR = Grammar(command="rescore", keys=STUDY, flags=("--tables",), overrides=True)


def command(arguments: list[str]) -> int:
    """Score finished fits; returns the exit code. Raises InputError with all problems."""
    (as_it_ran, with_axes), screen = _parsed(arguments), console()
    with working(screen, "reading data") as status:
        refuse_sampler(study_of(as_it_ran))
        plan = plan_of(with_axes)
        left = len(plan.fits) - len(plan.with_finished_fits().fits)
        if 0 < left < len(plan.fits):
            print_wrapped(
                screen, f"Left out, because not trained yet: {counted(left, 'fit')} of the study; `run` trains them."
            )
        return run_plan(plan, screen, status, train=False, tables="--tables" in with_axes.flags)


def _parsed(arguments: list[str]) -> tuple[Parsed, Parsed]:
    """The study as it ran, and the same study with the wanted settings as axes."""
    parsed = parse_leniently(GRAMMAR, arguments)
    wanted = [argument for argument in parsed.overrides if argument.startswith("inference.")]
    for argument in wanted:
        name, _, values = argument.partition("=")
        if not values.startswith("["):
            parsed.problems.add(f"command line: {argument}: give a list of values, {name}=[...]")
    if not wanted:
        parsed.problems.add("command line: name at least one inference setting, e.g. inference.nms=[0.4,0.5,0.6]")
    others = tuple(argument for argument in parsed.overrides if argument not in wanted)
    axes = (f"search.axes.{argument}" for argument in wanted)
    return parsed._replace(overrides=others), parsed._replace(overrides=(*others, *axes))


def refuse_sampler(study: Study) -> None:
    """Raises InputError for a study with a sampler.

    Its cells are points of its search space; with settings from outside the space, several cells would become one.
    """
    if study.search.plan == "sampler":
        raise InputError(
            f"{study.name} is a sampler's study, whose cells come from its search.space; to score its best cell, make "
            "a study with another name, which reuses the finished fits with equal settings: plan: grid, that cell's "
            "hyperparameters, protocol.selection: holdout, and search.axes.inference.NAME=[VALUE,...]"
        )
