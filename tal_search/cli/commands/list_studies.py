"""The list command: all studies and where each is from."""

from __future__ import annotations

import sys

from tal_search.cli.arguments import Grammar, parse
from tal_search.cli.console import folded, terminal_width
from tal_search.text.printable import printable

USAGE = """\
tal-search list

One line per study: name, origin and description. Origins:
  ./studies    a file of your own; it hides a study with the same name from
               elsewhere, and its line says so
  tal_search   installed with tal_search
  repository   the folder studies/ of the checkout that this code is in
"""
GRAMMAR = Grammar(command="list")


def command(arguments: list[str]) -> int:
    """Print the studies; returns the exit code. Raises InputError: bad arguments."""
    from tal_search.study import list_studies

    parse(GRAMMAR, arguments)
    studies = list_studies()
    width = max((len(study.name) for study in studies), default=0)
    origin = max((len(study.origin) for study in studies), default=0)
    for study in studies:
        description = printable(study.description)
        if study.replaces:
            description += f" (instead of the one from {study.replaces})"
        line = f"{study.name:{width}}  {study.origin:{origin}}  {description}"
        sys.stdout.write(folded(line, terminal_width(), indent=width + origin + 4) + "\n")
    return 0
