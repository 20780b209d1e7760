"""The gc command: lists folders that no study uses, and removes them with --yes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console, print_line
from tal_search.errors import InputError
from tal_search.files.disk import size_text

if TYPE_CHECKING:
    from tal_search.record.garbage import Garbage

USAGE = """\
tal-search gc [runs=FOLDER] [--yes]

Lists with their sizes the trial folders in FOLDER/trials (default: runs/trials)
that no study's record refers to, and the arrays in FOLDER/features that no
other trial reads. Nothing is removed without --yes. To free the trials of a
study, remove its folder FOLDER/STUDY first. Arrays are rebuilt when needed.
"""
GRAMMAR = Grammar(command="gc", keys={"runs": Key(convert=Path, default=Path("runs"))}, flags=("--yes",))


def command(arguments: list[str]) -> int:
    """List, and remove with --yes; returns the exit code. Raises InputError, or TalSearchError if removing fails."""
    parsed = parse(GRAMMAR, arguments)
    runs: Path = parsed.values["runs"]
    if not runs.is_dir():
        raise InputError(f"command line: runs={runs} is not a folder; give the one that holds trials/")

    from tal_search.record.garbage import remove, unreferenced

    screen = console()
    garbage = unreferenced(runs)
    for item in garbage:
        kept = "; kept, a process is using it" if item.running else ""
        print_line(screen, f"{item.path.name}  {size_text(item.bytes):>10}  {item.what}{kept}")
    free = [item for item in garbage if not item.running]
    if not free:
        message = f"Nothing to remove in {runs}."
    elif "--yes" not in parsed.flags:
        message = f"{_count(free)} that no study refers to. Nothing is removed; add --yes to remove them."
    else:
        removed = remove(runs, free)
        late = len(free) - len(removed)
        message = f"Removed {_count(removed)}."
        message += f" {late} kept: a process or a study has begun to use them." if late else ""
    print_line(screen, message)
    return 0


def _count(garbage: Sequence[Garbage]) -> str:
    folders = "1 folder" if len(garbage) == 1 else f"{len(garbage)} folders"
    return f"{folders}, {size_text(sum(item.bytes for item in garbage))}"
