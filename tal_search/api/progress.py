"""Progress of `run_study`: one line that is updated in a notebook, a line per fit on stderr elsewhere."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TextIO

from tal_search.proposers.events import Event, Failed, Finished, Noted, Pruned, Reported, Stalled, Started
from tal_search.results.next_runs import duration
from tal_search.text.printable import shown_line

if TYPE_CHECKING:
    from tal_search.plan.plan import Plan

SECONDS_BETWEEN = 0.25  # least time between updates of the line in a notebook
FIRST_GUESS = 0.5  # fits trained before the time left is estimated


class StudyProgress:
    """Counts a driver's events. draw: called after each, with whether a trained fit ended; say: prints a sentence."""

    def __init__(
        self, total: int | None, draw: Callable[[StudyProgress, bool], None], say: Callable[[str], None]
    ) -> None:
        self.total, self.say, self._draw = total, say, draw
        self.done = self.failed = self.stopped = self.cached = 0
        self.running: dict[str, float] = {}  # share of epochs done, by the key of the fit
        self.began = time.monotonic()
        self._phase = ""

    def phase(self, words: str) -> None:
        """Show what is done before the first fit and after the last, such as "starting Ray"; "" ends it."""
        self._phase = words
        self._draw(self, False)

    def add(self, event: Event) -> None:
        """Count and show an event of the driver."""
        key = event.spec.key
        match event:
            case Noted():
                self.say(f"seed {event.spec.seed}, {event.spec.cell}: {event.text}")
            case Stalled(text=text):
                self.say(f"seed {event.spec.seed}, {event.spec.cell}: {text or 'goes on'}")
            case Started():
                self.running[key], self._phase = 0.0, ""
            case Reported(report=report):
                self.running[key] = report.epoch / report.epochs
            case Finished():
                self.done += 1
                self.cached += key not in self.running
            case Failed():
                self.failed += 1
            case Pruned():
                self.stopped += 1
        trained = key in self.running and isinstance(event, Finished | Failed | Pruned)
        if trained:
            del self.running[key]
        self._draw(self, trained)

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.stopped

    @property
    def share(self) -> float | None:
        """The share of all fits that is done, 0 to 1; None if their number is unknown."""
        return min(1.0, (self.ended + sum(self.running.values())) / self.total) if self.total else None

    @property
    def seconds_left(self) -> float | None:
        """Time left at the pace of this run; None before FIRST_GUESS fits are trained."""
        trained = self.ended - self.cached + sum(self.running.values())
        if not self.total or trained < FIRST_GUESS:
            return None
        elapsed = time.monotonic() - self.began
        return elapsed / trained * max(0.0, self.total - self.ended - sum(self.running.values()))

    @property
    def words(self) -> str:
        """ "7 of 15 fits, 1 failed, 12 s left"."""
        parts = [f"{self.ended}{f' of {max(self.total, self.ended)}' if self.total else ''} fits"]
        counts = {"done before": self.cached, "failed": self.failed, "stopped early": self.stopped}
        parts += [f"{count} {name}" for name, count in counts.items() if count]
        left = self.seconds_left
        if left:
            parts.append(f"{duration(left / 60)} left")
        return ", ".join([*parts, *([self._phase] if self._phase else [])])


@contextmanager
def shown_progress(plan: Plan, *, quiet: bool) -> Iterator[StudyProgress]:
    """Progress of a plan's run, drawn until the block ends."""
    total, say = len(plan.fits) or plan.study.budget.trials, _sayer(sys.stderr)
    if quiet:
        yield StudyProgress(total, lambda *_: None, lambda _: None)
    elif _in_notebook():
        line = _NotebookLine()
        progress = StudyProgress(total, line.draw, _sayer(sys.stdout))
        try:
            yield progress
        finally:
            line.end(progress)
    else:
        yield StudyProgress(total, lambda progress, trained: say(progress.words) if trained else None, say)


def _sayer(stream: TextIO) -> Callable[[str], None]:
    """A function that prints a sentence to the stream."""
    return lambda sentence: print(shown_line(sentence), file=stream, flush=True)


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class _Handle(Protocol):
    """IPython's DisplayHandle."""

    def update(self, content: object, *, raw: bool) -> None: ...


class _NotebookLine:
    """A progress bar with text, updated in place by IPython's display handle, which needs no widgets."""

    def __init__(self) -> None:
        self._handle: _Handle | None = None
        self._drawn = 0.0

    def draw(self, progress: StudyProgress, _: bool) -> None:
        if time.monotonic() - self._drawn >= SECONDS_BETWEEN:
            self.end(progress)

    def end(self, progress: StudyProgress) -> None:
        """Draw now, however recent the last update."""
        display = import_module("IPython.display").display  # installed in every notebook
        self._drawn = time.monotonic()
        bar = "" if progress.share is None else f'<progress value="{progress.share:.3f}"></progress> '
        content = {"text/html": bar + html.escape(progress.words), "text/plain": progress.words}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
