"""Standard output and error that never raise: an encoding without a character, a reader that left, a full disk."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata

PLAIN_LETTERS = "tal_search.plain_letters"  # name of the handler of encoding errors
GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta", "θ": "theta", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "ξ": "xi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "ω": "omega",
    "Δ": "diff", "Σ": "sum", "Ω": "Omega",
}  # fmt: skip
PLAIN = {
    **GREEK, "±": "+/-", "·": "-", "–": "-", "—": "-", "−": "-", "×": "x", "→": "->", "…": "...", "≤": "<=", "≥": ">=",
    "≠": "!=", "√": "sqrt", "∞": "inf", "‖": "||", "†": "+", "“": '"', "”": '"', "‘": "'", "’": "'", "━": "=",
    "─": "-", "│": "|", "█": "#", "░": ".", "●": "*", "○": "o", "◇": "o", "✓": "yes", "✕": "x", "ß": "ss", "ø": "o",
    "Ø": "O", "æ": "ae", "ı": "i",
}  # fmt: skip


def plain(text: str, encoding: str) -> str:
    """The text with plain letters or ? for the characters that the encoding does not have."""
    return text.encode(encoding, PLAIN_LETTERS).decode(encoding)


def _plain_letters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain_letter, error.object[error.start : error.end])), error.end


def _plain_letter(character: str) -> str:
    base = unicodedata.normalize("NFKD", character)[0]  # é is e
    return PLAIN.get(character) or (base if base.isascii() and base.isprintable() else "?")


codecs.register_error(PLAIN_LETTERS, _plain_letters)


class Output(io.TextIOWrapper):
    """A stream that goes on to nowhere once it cannot be written; failure: why, None while it can.

    A study goes on where nobody reads its output any more (`| head`) or the disk of its log is full.
    """

    failure: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)
            super().flush()  # what is left in the buffer, to nowhere

    def _give_up(self, error: OSError) -> None:
        self.failure = self.failure or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def protect_output() -> None:
    """Make standard output and error of this process `Output`s; streams of a notebook or of a test stay as they are."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell (`>&-`); else the next file opened would take its place
            _open_standard_files()
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8", errors=PLAIN_LETTERS))
        elif type(stream) is io.TextIOWrapper:
            stream.flush()
            setattr(sys, name, _guarded(stream))


def _guarded(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """An `Output` to the stream's file, beside the stream, which others may hold and write to, such as `logging`."""
    try:
        file = io.FileIO(stream.fileno(), "w", closefd=False)
    except io.UnsupportedOperation:  # no file
        return stream
    return Output(
        io.BufferedWriter(file), encoding=stream.encoding, errors=PLAIN_LETTERS,
        line_buffering=stream.line_buffering or stream.write_through, write_through=stream.write_through,
    )  # fmt: skip


def _open_standard_files() -> None:
    """Let /dev/null take the numbers of the closed standard files, also in processes that this one starts."""
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        os.set_inheritable(number, True)
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


def finished(code: int) -> int:
    """The exit code of a command that ends with `code`: 1 instead of 0, with a sentence, where its output is lost.

    A closed pipe loses nothing: its reader has what it wanted.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    failure = sys.stdout.failure if isinstance(sys.stdout, Output) else None
    if failure is None or failure.errno == errno.EPIPE:
        return code
    sys.stderr.write(f"the output could not be written ({failure.strerror}); the command itself went on to its end\n")
    sys.stderr.flush()
    return code or 1
