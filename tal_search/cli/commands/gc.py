"""The gc command: lists the folders that no study refers to, and removes them where it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console
from tal_search.errors import InputError
from tal_search.files.disk import size_text

if TYPE_CHECKING:
    from tal_search.record.garbage import Garbage

USAGE = """\
tal-search gc [runs=FOLDER] [--yes]

Lists the trial folders in FOLDER/trials (FOLDER is `runs` unless named) that no study's record refers to, and the
arrays in FOLDER/features that none of the other trials reads, with their sizes. Nothing is removed without --yes. A
study gives its trials up when its own folder, FOLDER/STUDY, is removed; arrays that are missed are made again.
"""
GRAMMAR = Grammar(command="gc", keys={"runs": Key(convert=Path, default=Path("runs"))}, flags=("--yes",))


def command(arguments: list[str]) -> int:
    """List, and remove with --yes; returns the exit code. Raises InputError, or TalSearchError where removing fails."""
    parsed = parse(GRAMMAR, arguments)
    runs: Path = parsed.values["runs"]
    if not runs.is_dir():
        raise InputError(f"command line: runs={runs} is not a folder; give the one that holds trials/")

    from tal_search.record.garbage import remove, unreferenced

    screen = console()
    found = unreferenced(runs)
    for item in found:
        kept = "; kept, a process works in it" if item.running else ""
        screen.print(f"{item.path.name}  {size_text(item.bytes):>10}  {item.what}{kept}", markup=False, soft_wrap=True)
    free = [item for item in found if not item.running]
    if not free:
        message = f"Nothing to remove in {runs}."
    elif "--yes" not in parsed.flags:
        message = f"{_count(free)}: no study refers to them. Nothing is removed; add --yes to remove them."
    else:
        removed = remove(runs, free)
        late = len(free) - len(removed)
        message = f"Removed {_count(removed)}."
        message += f" {late} kept: meanwhile a process works in it or a study refers to it." if late else ""
    screen.print(message, markup=False, soft_wrap=True)
    return 0


def _count(garbage: Sequence[Garbage]) -> str:
    folders = "1 folder" if len(garbage) == 1 else f"{len(garbage)} folders"
    return f"{folders}, {size_text(sum(item.bytes for item in garbage))}"
