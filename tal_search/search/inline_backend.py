"""Trials in this process, one after the other: for debugging, and where Ray is not installed."""

from __future__ import annotations

from pathlib import Path

from tal_search.search.backend import Failed, Finished, Handler, Proposer, Reported, Started
from tal_search.search.interrupts import DeferredInterrupt
from tal_search.search.worker import TrialFunction, Work
from tal_search.types import TrialSpec


class InlineBackend:
    """runs: the folder that holds `trials/`."""

    def __init__(self, *, runs: Path, trial: TrialFunction) -> None:
        self._runs, self._trial = runs, trial

    def run(self, proposer: Proposer, handle: Handler) -> None:
        """See `Backend.run`."""
        with DeferredInterrupt() as interrupt:
            while (spec := proposer.ask()) is not None:
                self._run_one(spec, handle, interrupt)
                if interrupt.requested:
                    raise KeyboardInterrupt

    def _run_one(self, spec: TrialSpec, handle: Handler, interrupt: DeferredInterrupt) -> None:
        handle(Started(spec))
        work = Work(spec, self._runs, self._trial)
        try:
            while not interrupt.requested:
                advance = work.advance()
                for report in advance.reports:
                    handle(Reported(spec, report))
                if advance.result is not None:
                    handle(Finished(spec, advance.result))
                    return
                if advance.failed is not None:
                    handle(Failed(spec, advance.failed))
                    return
        finally:
            work.close()
