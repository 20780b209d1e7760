"""The status command: progress of each study that was run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console, print_line
from tal_search.errors import InputError, Problems

if TYPE_CHECKING:
    from tal_search.cli.text_table import TextTable
    from tal_search.record.overview import Overview

USAGE = """\
tal-search status [study=NAME] [runs=FOLDER]

One row per study of FOLDER (default: runs), read from its record:
  state        running, finished, incomplete (the same `run` command continues
               it) or failed (every trial has ended, some with an error; the
               next run tries those again)
  done         trials done of those planned
  failed       trials that ended with an error
  stopped      trials that a pruner stopped early
  last change  when a trial last began or ended
"""
GRAMMAR = Grammar(command="status", keys={"study": Key(), "runs": Key(convert=Path, default=Path("runs"))})
HEADS = ["study", "state", "done", "failed", "stopped", "last change"]


def command(arguments: list[str]) -> int:
    """Print the table; returns the exit code. Raises InputError: bad arguments, no such study, a damaged record."""
    values = parse(GRAMMAR, arguments).values

    from tal_search.cli.text_table import drawn
    from tal_search.record.overview import Overview, overview
    from tal_search.record.record_reader import RecordReader, recorded_studies
    from tal_search.text.commands import command_line, repeated

    runs: Path = values["runs"]
    names, wanted = list(recorded_studies(runs)), values["study"]
    if wanted is not None and wanted not in names:
        known = f"studies there: {', '.join(names)}" if names else "no study was run there yet"
        run = command_line("run", *repeated(wanted, runs, ()))
        raise InputError(f"{runs} has no record of a study {wanted}; {known}; run it: {run}")
    screen = console()
    if not names:
        run = command_line("run", *repeated("quickstart", runs, ()))
        print_line(screen, f"No study was run in {runs} yet; start one: {run}")
        return 0
    overviews, problems = list[Overview](), Problems()
    for name in [wanted] if wanted else names:
        with problems.gather():
            overviews.append(overview(runs / name))
    if overviews:
        screen.print(drawn(status_text(overviews), str(runs), screen.width))
    for damage in [RecordReader(runs / study.name).damage() for study in overviews]:
        if damage is not None:
            print_line(screen, f"{damage}.")
    problems.raise_if_any()
    return 0


def status_text(overviews: list[Overview]) -> TextTable:
    """The status table, newest change first."""
    from tal_search.cli.text_table import TextTable

    ordered = sorted(overviews, key=lambda study: study.changed.timestamp() if study.changed else 0.0, reverse=True)
    rows = [
        [
            study.name,
            study.state,
            f"{study.done}" if study.planned is None else f"{study.done}/{study.planned}",
            str(study.failed),
            str(study.stopped),
            f"{study.changed:%Y-%m-%d %H:%M}" if study.changed else "never",
        ]
        for study in ordered
    ]
    running = tuple(study.state == "running" for study in ordered)
    return TextTable("Studies", HEADS, rows, ("study", "state"), running)
