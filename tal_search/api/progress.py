"""Progress of a study that runs: one line that changes in a notebook, a line for each fit elsewhere."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from tal_search.proposers.events import Event, Failed, Finished, Noted, Pruned, Reported, Started

if TYPE_CHECKING:
    from tal_search.plan.plan import Plan

SECONDS_BETWEEN = 0.25  # changes of a notebook's line
FIRST_GUESS = 0.5  # fits that are to be trained before the remaining time is estimated


class StudyProgress:
    """Counts the events of a driver. `draw` is called after each, with whether a fit was trained; say: a sentence."""

    def __init__(
        self, total: int | None, draw: Callable[[StudyProgress, bool], None], say: Callable[[str], None]
    ) -> None:
        self.total, self.say, self._draw = total, say, draw
        self.done = self.failed = self.stopped = self.cached = 0
        self.running: dict[str, float] = {}  # the share of its epochs that are over, by the fit's key
        self.began = time.monotonic()
        self._phase = ""

    def phase(self, words: str) -> None:
        """What takes time before the first fit and after the last: "starting Ray"; "" once fits run."""
        self._phase = words
        self._draw(self, False)

    def add(self, event: Event) -> None:
        """Take one event of the driver."""
        key = event.spec.key
        match event:
            case Noted():
                self.say(f"seed {event.spec.seed}, {event.spec.cell}: {event.text}")
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
        """Of all fits, 0 to 1; None where their number is not known."""
        return min(1.0, (self.ended + sum(self.running.values())) / self.total) if self.total else None

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this run; None before half a fit is trained."""
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
            parts.append(f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left")
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
    """Writes a sentence as a line."""
    return lambda sentence: print(sentence, file=stream, flush=True)


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class _NotebookLine:
    """A bar and its words, redrawn in place by IPython's display handle, which needs no widgets."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._drawn = 0.0

    def draw(self, progress: StudyProgress, _: bool) -> None:
        if time.monotonic() - self._drawn >= SECONDS_BETWEEN:
            self.end(progress)

    def end(self, progress: StudyProgress) -> None:
        """Draw, however recently that was."""
        display: Any = import_module("IPython.display").display  # there in every notebook, and untyped
        self._drawn = time.monotonic()
        bar = "" if progress.share is None else f'<progress value="{progress.share:.3f}"></progress> '
        content = {"text/html": bar + html.escape(progress.words), "text/plain": progress.words}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
