"""Text from outside (names, paths, messages of libraries) made safe for a terminal or a log."""

from __future__ import annotations

from tal_search.text.urls import masked


def printable(text: str) -> str:
    r"""The text in one line, with control characters, escapes and marks of direction written out: \x1b, \n, \u202e."""
    return text if text.isprintable() else "".join(map(_written_out, text))


def shown_line(text: str) -> str:
    """The same with the passwords of URLs masked: a sentence for a user."""
    return printable(masked(text))


def printable_lines(text: str) -> str:
    """`printable` for a text of several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def _written_out(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def first_line(error: BaseException) -> str:
    """The first line of a library's message, with passwords masked; the error's class if it has no message."""
    return masked((str(error).strip().splitlines() or [type(error).__name__])[0])
