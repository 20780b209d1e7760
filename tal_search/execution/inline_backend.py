"""Runs trials in this process, one after the other: for debugging, and where Ray is not installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tal_search.execution.interrupts import Abandoned, DeferredInterrupt
from tal_search.execution.stalls import POLL_SECONDS, Stall, StallWatch, given_up
from tal_search.execution.worker import TrialFunction, Work
from tal_search.files.threads import repeated
from tal_search.proposers.events import (
    WAIT,
    Failed,
    Finished,
    Handler,
    Noted,
    Proposer,
    Pruned,
    Reported,
    Stalled,
    Started,
)  # fmt: skip
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec


class InlineBackend:
    """runs: the folder that holds `trials/`. stall_minutes, retries: as `RayBackend`; None = a stall is only reported.

    A stalled trial is left by an exception in the main thread, which code inside a library may never get. Its Stalled
    events come from another thread, as the main thread is in the trial; an error of their handler is raised in the main
    thread like any other, and the trial keeps its last checkpoint.
    """

    def __init__(
        self, *, runs: Path, trial: TrialFunction, retries: int = 3, stall_minutes: float | None = None
    ) -> None:
        self._runs, self._trial, self._retries, self._stall_minutes = runs, trial, retries, stall_minutes

    def run(self, proposer: Proposer, handle: Handler) -> None:
        """See `Backend.run`."""
        with DeferredInterrupt() as interrupt:
            while (spec := proposer.ask()) is not None:
                assert spec is not WAIT, "a proposer waits, but no trial is under way"
                self._run_one(spec, proposer, handle, interrupt)
                interrupt.check()

    def _run_one(self, spec: TrialSpec, proposer: Proposer, handle: Handler, interrupt: DeferredInterrupt) -> None:
        handle(Started(spec))
        watch = _Watch(spec, StallWatch(self._runs, self._stall_minutes), handle, interrupt)
        for attempt in range(self._retries + 1):
            try:
                with watch.watching():
                    return self._attempt(spec, proposer, handle, interrupt, watch)
            except Abandoned:
                again = f"started again from its checkpoint ({attempt + 1} of {self._retries})"
                if attempt < self._retries:
                    handle(Noted(spec, f"it was abandoned: {watch.words}; {again}"))
        times = f" {self._retries + 1} times" if self._retries else ""
        return handle(Failed(spec, f"it was abandoned{times}, the last time after {watch.words}"))

    def _attempt(
        self, spec: TrialSpec, proposer: Proposer, handle: Handler, interrupt: DeferredInterrupt, watch: _Watch
    ) -> None:
        work = Work(spec, self._runs, self._trial)
        try:
            while not interrupt.requested:
                with interrupt.interruptible():
                    advance = work.advance()
                for note in advance.notes:
                    handle(Noted(spec, note))
                for report in advance.reports:
                    handle(Reported(spec, report))
                if advance.finished:
                    result = TrialFolder.of(self._runs, spec.key).result()
                    assert result is not None, "the worker has just read it"
                    return handle(Finished(spec, result))
                if advance.failed is not None or watch.given_up is not None:
                    return handle(Failed(spec, advance.failed or watch.given_up or ""))
                if advance.reports and proposer.stops(spec):
                    work.close()
                    return handle(Pruned(spec))
        finally:
            work.close()


class _Watch:
    """A thread that watches the trial that the main thread runs.

    words: how long it made no progress when it was last abandoned; given_up: the reason why it fails, if it is held by
    a stalled process of another study.
    """

    def __init__(self, spec: TrialSpec, stalls: StallWatch, handle: Handler, interrupt: DeferredInterrupt) -> None:
        self._spec, self._stalls, self._handle, self._interrupt = spec, stalls, handle, interrupt
        self._abandoned = False
        self.words = ""
        self.given_up: str | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._abandoned = False
        self._stalls.forget(self._spec)
        error: BaseException | None = None

        def watch() -> None:
            nonlocal error
            if not self._interrupt.in_trial:  # the main thread handles an event
                return
            try:
                for stall in self._stalls.poll([self._spec]) if error is None else ():
                    self._act(stall)
            except BaseException as raised:
                error = raised
            if error is not None:  # until the main thread has it
                self._interrupt.fail(error)

        with repeated(watch, POLL_SECONDS, name="stalls"):
            yield

    def _act(self, stall: Stall) -> None:
        if not stall.due:
            self._handle(stall.event)
        elif stall.held:
            self.given_up = given_up(stall)
        elif self._abandoned:  # and still here
            fix = f"end this command with kill -9 {os.getpid()}; the same command continues from the last checkpoint"
            self._handle(Stalled(self._spec, f"{stall.words}; it cannot be interrupted: {fix}"))
            self._interrupt.abandon()
        else:
            self._abandoned, self.words = True, stall.words
            self._interrupt.abandon()
