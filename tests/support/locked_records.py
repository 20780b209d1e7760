"""A record that another process locks while a study runs, and what must hold of the run."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan
from tal_search.proposers.events import Event, Finished
from tal_search.trial.folder import TrialFolder
from tests.support.small_plans import recorded
from tests.support.small_trials import counting_trial, history
from tests.support.waiting import DEADLINE, wait_for

EPOCHS, EPOCH_SECONDS = 10, 0.1
HOLDER = """
import sqlite3, sys
holder = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=float(sys.argv[2]))
holder.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
holder.execute("ROLLBACK")
"""


class Holder:
    """A handler of events that has another process lock the record once so many trials have finished.

    It is locked until `enough`, asked from then on, or for good where that is None.
    """

    def __init__(self, record: Path, enough: Callable[[], object] | None, after: int = 1) -> None:
        self.record, self.enough, self.after = record, enough, after
        self.finished: list[str] = []  # what was acknowledged
        self.before: list[str] = []  # what was by the time the record was to be free again
        self.released = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.finished.append(event.spec.key)
            if len(self.finished) == self.after:
                command = [sys.executable, "-c", HOLDER, str(self.record), str(DEADLINE)]
                self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                assert self.process.stdout is not None
                assert self.process.stdout.readline() == "locked\n"
                threading.Thread(target=self._release).start()

    def _release(self) -> None:
        if self.enough is not None:
            assert self.process.stdin is not None
            try:
                wait_for(self.enough)
                self.before = list(self.finished)
                self.released = True
            finally:
                self.process.stdin.close()

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


def check_that_trials_go_on(plan: Plan, *, after: int = 1, meanwhile: int = 2) -> list[str]:
    """Run the study, the record locked after so many trials until so many more were trained; what the user was told."""
    said: list[str] = []
    results = plan.study.runs / "trials"

    def enough() -> bool:
        return len(list(results.glob("*/result.json"))) >= after + meanwhile and bool(said)

    with Holder(plan.study.runs / plan.study.name / "record.db", enough, after) as holder:
        outcome = run_study(plan, trial=counting_trial, on_event=holder, say=said.append)
    assert holder.released
    assert outcome.failed == {}
    assert len(holder.before) == after, "nothing is acknowledged that the record does not have"
    assert sorted(holder.finished) == sorted(outcome.finished), "each is acknowledged once, then"
    assert sorted(recorded(plan)) == sorted(("COMPLETE", key) for key in outcome.finished)
    for trial in outcome.trials.values():
        folder = TrialFolder.of(plan.study.runs, trial.spec.key)
        assert history(folder, "epoch") == [f"epoch {epoch}" for epoch in range(1, EPOCHS + 1)]
    return said
