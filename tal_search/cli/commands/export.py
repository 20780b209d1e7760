"""The export command: what the dashboards show of a study, as files."""

from __future__ import annotations

from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.commands.dashboard import require_dash
from tal_search.cli.console import console

USAGE = """\
tal-search export study=NAME out=FOLDER [runs=FOLDER]

Writes what the dashboards of a study show into a folder: one HTML file that needs no network, overview.json with the
answer, CSV and LaTeX (booktabs) of every table, tables/study.tex with all values in one; and where a Chromium is
installed, overview.pdf with the answer on one page, SVG and PNG of every figure.
"""
WRITE = "write export study=NAME out=FOLDER"
GRAMMAR = Grammar(
    command="export",
    keys={
        "study": Key(required=WRITE),
        "out": Key(convert=Path, required=WRITE),
        "runs": Key(convert=Path, default=Path("runs")),
    },
)


def command(arguments: list[str]) -> int:
    """Write the files; returns the exit code. Raises InputError: bad arguments, no such study."""
    given = parse(GRAMMAR, arguments).values
    require_dash()
    from tal_dashboards.export.export import export_study

    for sentence in export_study(given["runs"], given["study"], given["out"]):
        console().print(sentence, markup=False, soft_wrap=True)
    return 0
