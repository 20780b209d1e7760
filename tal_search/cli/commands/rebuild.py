"""The rebuild command: writes a study to MLflow again."""

from __future__ import annotations

from functools import partial

from tal_search.cli.arguments import Grammar, parse_leniently
from tal_search.cli.commands.study_arguments import STUDY, plan_of
from tal_search.cli.console import console, print_line

USAGE = """\
tal-search rebuild study=NAME [KEY=VALUE ...]

Completes the copy of a study in MLflow, or makes a new one, from the study's
record and its trial folders. KEY=VALUE as for `run`, for instance runs=FOLDER
or tracking.uri=URL.
"""
GRAMMAR = Grammar(command="rebuild", keys=STUDY, overrides=True)


def command(arguments: list[str]) -> int:
    """Rebuild; returns the exit code. Raises InputError with all problems."""
    plan = plan_of(parse_leniently(GRAMMAR, arguments))

    from tal_search.tracking.rebuild import rebuild

    say = partial(print_line, console())
    say(rebuild(plan, say))
    return 0
