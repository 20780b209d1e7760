"""The list command: all studies and datasets, and where each is from."""

from __future__ import annotations

import sys

from tal_search.cli.arguments import Grammar, parse
from tal_search.cli.console import folded, terminal_width
from tal_search.text.printable import printable

USAGE = """\
tal-search list

One line per study, then one per dataset: name, origin and description.
  ./studies    a file of your own; it hides the one with the same name from
  ./datasets   elsewhere, and its line says so
  tal_search   installed with tal_search
  repository   a folder of the checkout that this code is in
"""
GRAMMAR = Grammar(command="list")


def command(arguments: list[str]) -> int:
    """Print the studies and datasets; returns the exit code. Raises InputError: bad arguments."""
    from tal_search.data.catalog import list_datasets
    from tal_search.study import list_studies

    parse(GRAMMAR, arguments)
    listed = {"studies": list_studies(), "datasets": list_datasets()}
    width = max(len(item.name) for items in listed.values() for item in items)
    origin = max(len(item.origin) for items in listed.values() for item in items)
    for kind, items in listed.items():
        sys.stdout.write(f"{kind}:\n")
        for item in items:
            description = printable(item.description)
            if item.replaces:
                description += f" (instead of the one from {item.replaces})"
            line = f"{item.name:{width}}  {item.origin:{origin}}  {description}"
            sys.stdout.write(folded(line, terminal_width(), indent=width + origin + 4) + "\n")
    return 0
