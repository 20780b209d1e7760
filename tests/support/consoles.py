"""Consoles that write to memory, as a terminal of 80 columns or as a pipe."""

from __future__ import annotations

import io

from rich.console import Console


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=24, highlight=False, color_system=None)


def pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=80, highlight=False)


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()
