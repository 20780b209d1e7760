"""The last lines of a terminal while a command works: a spinner, the phase, the time since the command began."""

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

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.text import Text

STOPPING = "Stopping …"
INTERRUPTED = "Interrupted. The same command starts again, or continues what it had begun."
AT_ONCE = "Ended at once. The same command continues from the last checkpoints."
SHOW_CURSOR = "\x1b[?25h"


class StatusLine:
    """Shown within its `with` block, on a terminal only.

    phase: what the command does now; counted: how far that is. details: further parts of the line, the most important
    first, as many as there is room for; below: a second line. stopping: what is said at once when a signal asks to end.
    """

    def __init__(self, console: Console, phase: str) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self.console, self.phase, self.stopping = console, phase, STOPPING
        self.counted: Callable[[], str] = str
        self.details: Callable[[], Sequence[str]] = tuple
        self.below: Callable[[], str] = str
        self.ending = False  # whether a signal asked to end
        self._started_at = time.monotonic()
        self._spinner = Spinner("dots")
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
        """Begin a phase; while the command ends nothing else is one."""
        if not self.ending:
            self.phase = phase

    def stop(self, signal_number: int) -> None:
        """Say at once that a signal was heard; of several, the first."""
        if self.ending:
            return
        self.ending, self.phase = True, "stopping"
        words = self.stopping if signal_number == signal.SIGINT else self.stopping.partition(" Ctrl-C again")[0]
        print_wrapped(self.console, words)

    def last_words(self) -> None:
        """Before the process ends without leaving anything in order, the terminal's cursor included."""
        sys.stdout.flush()
        os.write(1, f"{SHOW_CURSOR if self._live else ''}\n{AT_ONCE}\n".encode())

    def words(self, width: int) -> str:
        """The line and the one below it, without the spinner, each at most `width` wide."""
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
        return Text.assemble(str(frame), f" {line}", f"\n  {below}" if below else "")


@contextmanager
def working(console: Console, phase: str) -> Iterator[StatusLine]:
    """A status line from the first moment of a command, which a signal ends: it is answered at once."""
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
