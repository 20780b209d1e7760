"""Status line while a command works: a spinner, the phase, progress and the time since the command began."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from tal_search.cli.console import print_wrapped
from tal_search.errors import Interrupted
from tal_search.execution.interrupts import heard
from tal_search.text.printable import shown_line

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.text import Text

STOPPING = "Stopping …"
INTERRUPTED = "Interrupted. The same command starts again or continues."
AT_ONCE = "Stopped at once. The same command continues from the last checkpoints."
SHOW_CURSOR = "\x1b[?25h"


class StatusLine:
    """The status line, shown within its `with` block, on a terminal only.

    phase: what the command is doing; counted: its progress. details: further parts of the line in order of importance,
    as many as fit; below: a second line. stopping: the message when a signal asks to stop.
    """

    def __init__(self, console: Console, phase: str) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self.console, self.phase, self.stopping = console, phase, STOPPING
        self.counted: Callable[[], str] = str
        self.details: Callable[[], Sequence[str]] = tuple
        self.below: Callable[[], str] = str
        self.ending = False  # whether a signal asked to stop
        self._started_at = time.monotonic()
        self._spinner = Spinner("line" if console.options.ascii_only else "dots")
        self._live = (
            Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._drawn)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, traceback)

    def enter(self, phase: str) -> None:
        """Begin a phase; ignored once the command is stopping."""
        if not self.ending:
            self.phase = phase

    def stop(self, signal_number: int) -> None:
        """Print at once that the command is stopping; only for the first signal."""
        if self.ending:
            return
        self.ending, self.phase = True, "stopping"
        words = self.stopping if signal_number == signal.SIGINT else self.stopping.partition(" Ctrl-C again")[0]
        print_wrapped(self.console, words)

    def last_words(self) -> None:
        """Print the last message before the process exits without cleanup, and restore the cursor."""
        sys.stdout.flush()
        os.write(1, f"{SHOW_CURSOR if self._live else ''}\n{AT_ONCE}\n".encode())

    def words(self, width: int) -> str:
        """The line and the one below it, without the spinner, each at most `width` columns wide."""
        elapsed = clock(time.monotonic() - self._started_at)
        phase = f"{self.phase} {self.counted()}".strip()
        room = width - len(phase) - len(elapsed) - 3
        parts = []
        for part in self.details():
            if len(part) + 3 <= room:
                parts.append(part)
                room -= len(part) + 3
        line = " · ".join([phase, *parts, elapsed])
        below = self.below()
        return f"{line}\n{below if len(below) <= width else below[: width - 1] + '…'}" if below else line

    def _drawn(self) -> Text:
        from rich.text import Text

        frame = self._spinner.render(time.monotonic())
        line, _, below = self.words(self.console.width - 3).partition("\n")
        return Text.assemble(str(frame), f" {shown_line(line)}", f"\n  {shown_line(below)}" if below else "")


@contextmanager
def working(console: Console, phase: str) -> Iterator[StatusLine]:
    """A status line from the start of a command, which answers a signal at once."""
    status = StatusLine(console, phase)
    with heard(status.stop, status.last_words), status:
        try:
            yield status
        except Interrupted:
            print_wrapped(console, INTERRUPTED)
            raise


def clock(seconds: float) -> str:
    """0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
