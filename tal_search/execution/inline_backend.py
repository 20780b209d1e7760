"""Runs trials in this process, one after the other: for debugging, and where Ray is not installed."""

from __future__ import annotations

from pathlib import Path

from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.worker import TrialFunction, Work
from tal_search.proposers.events import WAIT, Failed, Finished, Handler, Noted, Proposer, Pruned, Reported, Started
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec


class InlineBackend:
    """runs: the folder that holds `trials/`."""

    def __init__(self, *, runs: Path, trial: TrialFunction) -> None:
        self._runs, self._trial = runs, trial

    def run(self, proposer: Proposer, handle: Handler) -> None:
        """See `Backend.run`."""
        with DeferredInterrupt() as interrupt:
            while (spec := proposer.ask()) is not None:
                assert spec is not WAIT, "a proposer waits, but no trial is under way"
                self._run_one(spec, proposer, handle, interrupt)
                interrupt.check()

    def _run_one(self, spec: TrialSpec, proposer: Proposer, handle: Handler, interrupt: DeferredInterrupt) -> None:
        handle(Started(spec))
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
                if advance.failed is not None:
                    return handle(Failed(spec, advance.failed))
                if advance.reports and proposer.stops(spec):
                    work.close()
                    return handle(Pruned(spec))
        finally:
            work.close()
