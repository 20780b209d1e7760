"""The export command: the dashboards of a study as files."""

from __future__ import annotations

from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console, print_line
from tal_search.errors import require_packages

USAGE = """\
tal-search export study=NAME out=FOLDER [runs=FOLDER]

Writes the results of a study to the folder `out`:
  one HTML file with the dashboards, which needs no network
  overview.json with the ranking and what to run next
  every table as CSV and LaTeX (booktabs); tables/study.tex has all values
  with a Chromium installed: overview.pdf on one page, every figure as SVG, PNG
runs=FOLDER is the folder of the study's run (default: runs).
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
    require_packages("dash", "plotly", extra="dashboards")
    from tal_dashboards.export.export import export_study

    for sentence in export_study(given["runs"], given["study"], given["out"]):
        print_line(console(), sentence)
    return 0
