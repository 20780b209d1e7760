"""Output to the terminal: the console of all commands, text that fits its width, and escaped control characters."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PIPE_WIDTH = 110  # columns; a file or pipe has no width


def console() -> Console:
    """A console with the terminal's width, or PIPE_WIDTH if the output is a file or a pipe."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH)


def printable(text: str) -> str:
    """Text from outside (names, paths, arguments) with control characters escaped: \\x1b, \\n."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def styled(sentence: str) -> Text:
    """A sentence for the user; warnings are bold and red."""
    from rich.text import Text

    return Text(sentence, style="bold red" if sentence.startswith("WARNING") else "")


def count(number: int, thing: str) -> str:
    """ "1 cell", "2 cells"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def print_wrapped(screen: Console, text: str) -> None:
    """Print a sentence, wrapped to the terminal."""
    screen.print(wrapped(screen, text), markup=False, soft_wrap=True)


def wrapped(screen: Console, text: str, indent: int = 0) -> str:
    """The text in lines that fit the terminal, all but the first indented; paths and names are not broken.

    One line if the output is a file or a pipe, unless COLUMNS is set.
    """
    return folded(text, screen.width if screen.is_terminal or "COLUMNS" in os.environ else None, indent)


def terminal_width() -> int | None:
    """Columns of the terminal; None for a file or a pipe, unless COLUMNS is set."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return None
    return shutil.get_terminal_size().columns


def folded(text: str, width: int | None, indent: int = 0) -> str:
    """The text in lines of at most `width` columns, all but the first indented; paths and names are not broken."""
    if width is None:
        return text
    lines = textwrap.wrap(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)
