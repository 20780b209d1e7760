"""The console every command writes to."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PIPE_WIDTH = 110


def console() -> Console:
    """Wide enough for a table where the output is a file or a pipe, which have no width of their own."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH)


def printable(text: str) -> str:
    """Text from outside (names, paths, arguments) with what steers a terminal written out: \\x1b, \\n."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def said(sentence: str) -> Text:
    """A sentence for the user; a warning stands out."""
    from rich.text import Text

    return Text(sentence, style="bold red" if sentence.startswith("WARNING") else "")


def count(number: int, thing: str) -> str:
    """ "1 cell", "2 cells"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
