"""Output to the terminal: the console of all commands, which shows no control characters, and text that fits it."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from functools import cache
from typing import TYPE_CHECKING

from tal_search.text.printable import printable_lines, shown_line
from tal_search.text.urls import masked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

PIPE_WIDTH = 110  # columns; a file or pipe has no width


def console() -> Console:
    """A console with the terminal's width, or PIPE_WIDTH if the output is a file or a pipe.

    Everything printed passes through it: control characters are written out, and passwords of URLs removed.
    """
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return _screen_class()(highlight=False, emoji=False, width=width)


@cache
def _screen_class() -> type[Console]:
    from rich.console import Console
    from rich.segment import Segment

    class Screen(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                text = segment.text
                kept = segment.control or text == "\n" or (text.isprintable() and "://" not in text)
                yield segment if kept else Segment(printable_lines(masked(text)), segment.style)

    return Screen


def styled(sentence: str) -> Text:
    """A sentence for the user; warnings are bold and red."""
    from rich.text import Text

    return Text(sentence, style="bold red" if sentence.startswith("WARNING") else "")


def print_wrapped(screen: Console, text: str) -> None:
    """Print a sentence, wrapped to the terminal."""
    screen.print(wrapped(screen, text), markup=False, soft_wrap=True)


def print_line(screen: Console, text: str) -> None:
    """Print a line as it is, however long: paths and commands that are copied."""
    screen.print(styled(shown_line(text)), soft_wrap=True)


def wrapped(screen: Console, text: str, indent: int = 0) -> str:
    """The text in lines that fit the terminal, all but the first indented; paths and names are not broken.

    One line if the output is a file or a pipe, unless COLUMNS is set.
    """
    return folded(shown_line(text), screen.width if screen.is_terminal or "COLUMNS" in os.environ else None, indent)


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
