"""The status command: where each study that was run stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console, printable
from tal_search.errors import InputError

if TYPE_CHECKING:
    from tal_search.cli.text_table import TextTable
    from tal_search.record.overview import Overview

USAGE = """\
tal-search status [study=NAME] [runs=FOLDER]

One row a study of FOLDER (`runs` unless named): running, finished, incomplete (the same command continues it), or
failed (every trial has ended, some by an error; the next run tries those again); trials done of those planned, failed,
and stopped early by a pruner; when a trial last began or ended. Reads the record and changes nothing.
"""
GRAMMAR = Grammar(command="status", keys={"study": Key(), "runs": Key(convert=Path, default=Path("runs"))})
HEADS = ["study", "state", "done", "failed", "stopped", "last change"]


def command(arguments: list[str]) -> int:
    """Print the table; returns the exit code. Raises InputError: arguments, no such study, a damaged record."""
    values = parse(GRAMMAR, arguments).values

    from tal_search.cli.text_table import drawn
    from tal_search.record.overview import Overview, overview
    from tal_search.record.record_reader import recorded_studies

    runs: Path = values["runs"]
    names, wanted = list(recorded_studies(runs)), values["study"]
    if wanted is not None and wanted not in names:
        known = f"studies there: {', '.join(names)}" if names else "no study was run there yet"
        raise InputError(f"{runs} has no record of a study {wanted}; {known}; run it: tal-search run study={wanted}")
    screen = console()
    if not names:
        screen.print(f"No study was run in {runs} yet; start one: tal-search run study=quickstart", markup=False)
        return 0
    found, problems = list[Overview](), list[str]()
    for name in [wanted] if wanted else names:
        try:
            found.append(overview(runs / name))
        except InputError as error:
            problems += error.problems
    if found:
        screen.print(drawn(status_text(found), printable(str(runs)), screen.width))
    if problems:
        raise InputError(problems)
    return 0


def status_text(found: list[Overview]) -> TextTable:
    """The newest first."""
    from tal_search.cli.text_table import TextTable

    ordered = sorted(found, key=lambda one: one.changed.timestamp() if one.changed else 0.0, reverse=True)
    rows = [
        [
            printable(one.name),
            one.state,
            f"{one.done}" if one.planned is None else f"{one.done}/{one.planned}",
            str(one.failed),
            str(one.stopped),
            f"{one.changed:%Y-%m-%d %H:%M}" if one.changed else "never",
        ]
        for one in ordered
    ]
    return TextTable("Studies", HEADS, rows, ("study", "state"), tuple(one.state == "running" for one in ordered))
