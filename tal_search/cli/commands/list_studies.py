"""The list command: the studies there are, and where each is from."""

from __future__ import annotations

import sys

from tal_search.cli.arguments import Grammar, parse

USAGE = """\
tal-search list

The studies, one line each: name, description, and where it is from: ./studies (a file of your own, which comes before
one of the same name that is installed), or tal_search (installed with it).
"""
GRAMMAR = Grammar(command="list")


def command(arguments: list[str]) -> int:
    """Print the studies; returns the exit code. Raises InputError for arguments."""
    from tal_search.study import list_studies

    parse(GRAMMAR, arguments)
    studies = list_studies()
    width = max((len(study.name) for study in studies), default=0)
    origin = max((len(study.origin) for study in studies), default=0)
    sys.stdout.writelines(f"{study.name:{width}}  {study.origin:{origin}}  {study.description}\n" for study in studies)
    return 0
