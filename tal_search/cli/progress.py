"""What a running study shows: a live line on a terminal, a plain line per trial elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tal_search.cli.console import said
from tal_search.proposers.events import Event, Failed, Finished, Noted, Pruned, Reported, Started
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import cell_words

if TYPE_CHECKING:
    from tal_search.plan.plan import Plan

SHOWN_TIOU = 0.5


class StudyView:
    """Counts events and draws them.

    `total` is the number of fits of a plan (of earlier runs too), or a sampler's budget; None where none is known.
    """

    def __init__(self, console: Console, plan: Plan) -> None:
        self.console, self.plan = console, plan
        self.total = len(plan.fits) or plan.study.budget.trials
        self.started_at = time.monotonic()
        self.epochs: dict[str, tuple[int, int]] = {}
        self.running: dict[str, TrialSpec] = {}
        self.done: dict[str, tuple[TrialSpec, TrialResult]] = {}
        self.failed = self.trained = self.pruned = 0
        self._live = (
            Live(console=console, refresh_per_second=2, get_renderable=self._status) if console.is_terminal else None
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

    def add(self, event: Event) -> None:
        """Take one event of the driver."""
        key = event.spec.key
        if isinstance(event, Started):
            self.running[key] = event.spec
        elif isinstance(event, Reported):
            self.running[key] = event.spec
            self.epochs[key] = (event.report.epoch, event.report.epochs)
        elif isinstance(event, Finished):
            self.trained += key in self.running
            cached = key not in self.running
            self.running.pop(key, None)
            self.done[key] = (event.spec, event.result)
            if not cached:
                self._line(event.spec, f"{self._shown(event.result)}  {event.result.wall_seconds:.0f} s")
        elif isinstance(event, Failed):
            self.running.pop(key, None)
            self.failed += 1
            self._line(event.spec, f"FAILED: {event.reason}")
        elif isinstance(event, Pruned):
            self.running.pop(key, None)
            self.pruned += 1
            self._line(event.spec, f"stopped early after epoch {self.epochs.get(key, (0, 0))[0]}")
        elif isinstance(event, Noted):
            self.say(f"{describe(event.spec, self.plan.centre_cell)}: {event.text}")

    def say(self, sentence: str) -> None:
        """Print a sentence above the live line."""
        self.console.print(said(sentence), soft_wrap=True)

    def _line(self, spec: TrialSpec, outcome: str) -> None:
        ended = len(self.done) + self.failed + self.pruned
        number = f"[{ended}/{max(ended, self.total)}]" if self.total else f"[{ended}]"
        self.console.print(Text(f"{number} {describe(spec, self.plan.centre_cell)}  {outcome}"), soft_wrap=True)

    def _shown(self, result: TrialResult) -> str:
        tiou = SHOWN_TIOU if SHOWN_TIOU in result.tiou else result.tiou[0]
        if result.holdout_mAP is not None:
            return f"holdout mAP@{tiou:g} {100 * result.holdout_mAP[result.tiou.index(tiou)]:.1f}"
        return f"mAP@{tiou:g} {100 * result.at(tiou):.1f}"

    def _status(self) -> Text:
        parts = [f"{len(self.done)} done", f"{len(self.running)} running", f"{self.failed} failed"]
        parts += [f"{self.pruned} stopped early"] if self.pruned else []
        if self.total:
            remaining = max(0, self.total - len(self.done) - self.failed - self.pruned)
            parts += [f"{remaining} left", self._eta(remaining)]
        best = self._best()
        return Text("  ".join(part for part in [*parts, best] if part))

    def _eta(self, remaining: int) -> str:
        """From the epochs of this run, running trials included."""
        elapsed = time.monotonic() - self.started_at
        under_way = sum(epoch / epochs for key, (epoch, epochs) in self.epochs.items() if key in self.running)
        trials = self.trained + under_way
        if trials < 0.05:
            return "ETA unknown yet"
        seconds = elapsed / trials * max(0.0, remaining - under_way)
        return f"ETA {int(seconds // 60)} min {int(seconds % 60)} s"

    def _best(self) -> str:
        """The best cell so far beside the centre, by held-out videos where there are any; for watching only."""
        means: dict[str, list[float]] = {}
        leaky = ""
        for spec, result in self.done.values():
            tiou = SHOWN_TIOU if SHOWN_TIOU in result.tiou else result.tiou[0]
            values, leaky = (result.holdout_mAP, "") if result.holdout_mAP else (result.mAP, " on test, leaky")
            mean = 100 * values[result.tiou.index(tiou)]
            means.setdefault(cell_words(spec.cell, self.plan.centre_cell), []).append(mean)
        if not means:
            return ""
        best = max(means, key=lambda cell: sum(means[cell]) / len(means[cell]))
        value = sum(means[best]) / len(means[best])
        name = cell_words(self.plan.centre_cell, self.plan.centre_cell)
        centre = means.get(name, [])
        beside = f" ({name} {sum(centre) / len(centre):.1f})" if centre else ""
        return f"best{leaky}: {value:.1f} at {best}{beside}"


def describe(spec: TrialSpec, centre: dict[str, Any]) -> str:
    """One trial in words: its cell, seed and annotator."""
    return f"{cell_words(spec.cell, centre)} seed={spec.seed} annotator={spec.annotator}"
