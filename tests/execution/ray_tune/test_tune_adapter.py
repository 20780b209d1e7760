"""The state machine between Tune and the driver, without Ray."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest

from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.ray_tune.tune_adapter import HOLD_SECONDS, RESULT_SECONDS, UNREADABLE, TuneAdapter
from tal_search.execution.worker import Advance
from tal_search.proposers.events import WAIT, Event, Failed, Finished, Noted, Pruned, Reported, Started, Wait
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec
from tests.support.small_trials import Listed, make_result, make_spec

FIRST, SECOND, THIRD = (make_spec(seed) for seed in range(3))
FINISHED = Advance(finished=True)


class Driver:
    """An adapter with the events that it sends, a clock, and the results that can be read."""

    def __init__(self, specs: Iterable[TrialSpec | Wait], *, limit: int | None = None, slots: int = 2) -> None:
        self.events: list[Event] = []
        self.now = 0.0
        self.readable = True
        self.interrupt = DeferredInterrupt()
        self.adapter = TuneAdapter(
            Listed(specs), self.events.append, self.interrupt, self._result, limit=limit, slots=slots,
            clock=lambda: self.now,
        )  # fmt: skip

    def start(self, **specs: TrialSpec) -> TuneAdapter:
        for name, spec in specs.items():
            assert self.adapter.suggest(name) == spec
            self.adapter.started(name)
        return self.adapter

    def _result(self, spec: TrialSpec) -> TrialResult | None:
        return make_result(spec) if self.readable else None


def report(epoch: int) -> EpochReport:
    return EpochReport(epoch=epoch, epochs=3, seconds=0.1, losses={"total": 1.0}, scores={})


def test_importing_the_adapter_and_the_backend_neither_imports_ray_nor_changes_the_environment() -> None:
    script = "import os, sys; before = dict(os.environ); "
    script += "import tal_search.execution.ray_tune.ray_backend, tal_search.execution.ray_tune.tune_adapter; "
    script += "sys.exit('ray' in sys.modules or os.environ != before)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_message_becomes_events_in_order_and_the_end_leaves_the_worker() -> None:
    driver = Driver([FIRST])
    adapter = driver.start(a=FIRST)
    assert not adapter.advanced("a", Advance(reports=(report(1), report(2)), notes=("damaged",)))
    assert adapter.advanced("a", FINISHED)
    adapter.forget("a")
    assert driver.events == [
        Started(FIRST), Noted(FIRST, "damaged"), Reported(FIRST, report(1)), Reported(FIRST, report(2)),
        Finished(FIRST, make_result(FIRST)),
    ]  # fmt: skip
    assert not adapter.more()
    assert adapter.error is None


def test_a_failed_trial_is_not_asked_for_a_result() -> None:
    driver = Driver([FIRST])
    driver.readable = False
    assert driver.start(a=FIRST).advanced("a", Advance(failed="ValueError: no"))
    assert driver.events[-1] == Failed(FIRST, "ValueError: no")


def test_the_limit_counts_trials_that_wait_for_a_worker() -> None:
    adapter = Driver([FIRST, SECOND], limit=1).adapter
    assert adapter.suggest("a") == FIRST
    assert adapter.suggest("b") is WAIT
    adapter.started("a")
    assert adapter.advanced("a", FINISHED)
    adapter.forget("a")
    assert adapter.suggest("b") == SECOND


def test_after_a_wait_the_proposer_is_asked_again_only_when_a_trial_has_ended() -> None:
    asked = []

    class Counting(Listed):
        def ask(self) -> TrialSpec | Wait | None:
            asked.append(1)
            return super().ask()

    interrupt, events = DeferredInterrupt(), list[Event]()
    proposer = Counting([FIRST, WAIT, SECOND])
    adapter = TuneAdapter(proposer, events.append, interrupt, make_result, limit=None, slots=2)
    assert adapter.suggest("a") == FIRST
    assert [adapter.suggest("b") for _ in range(3)] == [WAIT] * 3
    assert len(asked) == 2
    adapter.started("a")
    adapter.advanced("a", FINISHED)
    assert adapter.suggest("b") == SECOND


def test_a_proposer_that_waits_for_nothing_ends_the_run() -> None:
    driver = Driver([WAIT])
    assert driver.adapter.more()  # Tune asks and gets nothing
    assert driver.adapter.suggest("a") is None
    assert isinstance(driver.adapter.error, RuntimeError)


def test_a_stopped_trial_is_pruned_once_its_checkpoint_is_saved() -> None:
    spec = make_spec(stopped=True)
    driver = Driver([spec])
    adapter = driver.start(a=spec)
    assert not adapter.advanced("a", Advance())  # nothing was reported, so nothing is stopped
    assert adapter.advanced("a", Advance(reports=(report(1),)))
    assert adapter.stopped("a")
    assert not isinstance(driver.events[-1], Pruned)
    adapter.pruned("a")
    assert driver.events[-1] == Pruned(spec)


def test_a_result_beats_the_wish_to_stop() -> None:
    spec = make_spec(stopped=True)
    driver = Driver([spec])
    adapter = driver.start(a=spec)
    assert adapter.advanced("a", Advance(reports=(report(3),), finished=True))
    assert not adapter.stopped("a")
    assert driver.events[-1] == Finished(spec, make_result(spec))


def test_a_worker_stays_with_its_ended_trial_while_another_starts_but_not_for_ever() -> None:
    driver = Driver([FIRST, SECOND])
    adapter = driver.start(a=FIRST)
    assert adapter.suggest("b") == SECOND  # its worker starts
    assert not adapter.advanced("a", FINISHED)
    driver.now = HOLD_SECONDS - 0.1
    assert not adapter.advanced("a", Advance())
    driver.now = HOLD_SECONDS + 0.1
    assert adapter.advanced("a", Advance())
    assert driver.events.count(Finished(FIRST, make_result(FIRST))) == 1


def test_a_worker_leaves_its_ended_trial_once_the_other_runs_or_has_no_room() -> None:
    driver = Driver([FIRST, SECOND])
    adapter = driver.start(a=FIRST)
    adapter.suggest("b")
    assert not adapter.advanced("a", FINISHED)
    adapter.started("b")
    assert adapter.advanced("a", Advance())

    adapter = Driver([FIRST, SECOND], slots=1).start(a=FIRST)
    adapter.suggest("b")
    assert adapter.advanced("a", FINISHED)


def test_a_worker_that_dies_after_its_trial_ended_changes_nothing() -> None:
    driver = Driver([FIRST, SECOND])
    adapter = driver.start(a=FIRST)
    adapter.suggest("b")
    assert not adapter.advanced("a", FINISHED)
    adapter.recovers("a", "its worker process died")
    adapter.started("a")
    adapter.advanced("a", FINISHED)
    adapter.failed("a", "its worker process died 3 times")
    assert driver.events == [Started(FIRST), Finished(FIRST, make_result(FIRST))]


def test_a_lost_worker_is_noted_and_the_trial_starts_again() -> None:
    driver = Driver([FIRST])
    adapter = driver.start(a=FIRST)
    adapter.recovers("a", "its worker process died")
    adapter.started("a")
    adapter.failed("a", "its worker process died 2 times")
    adapter.forget("a")
    assert driver.events == [
        Started(FIRST), Noted(FIRST, "its worker process died"), Started(FIRST),
        Failed(FIRST, "its worker process died 2 times"),
    ]  # fmt: skip


def test_a_result_that_appears_late_is_waited_for() -> None:
    driver = Driver([FIRST])
    driver.readable = False
    adapter = driver.start(a=FIRST)
    assert not adapter.advanced("a", FINISHED)
    driver.now = RESULT_SECONDS / 2
    assert not adapter.advanced("a", Advance())
    driver.readable = True
    assert adapter.advanced("a", Advance())
    assert driver.events[1:] == [Finished(FIRST, make_result(FIRST))]


def test_a_result_that_never_appears_fails_the_trial() -> None:
    driver = Driver([FIRST])
    driver.readable = False
    adapter = driver.start(a=FIRST)
    assert not adapter.advanced("a", FINISHED)
    driver.now = RESULT_SECONDS + 1
    assert adapter.advanced("a", Advance())
    assert driver.events[1:] == [Failed(FIRST, UNREADABLE)]


@pytest.mark.parametrize("error", [RuntimeError("the record's disk is full"), ValueError("x")])
def test_an_error_of_the_driver_stops_every_trial_and_is_kept(error: Exception) -> None:
    def handle(event: Event) -> None:
        if isinstance(event, Reported):
            raise error

    interrupt = DeferredInterrupt()
    adapter = TuneAdapter(Listed([FIRST, SECOND, THIRD]), handle, interrupt, make_result, limit=None, slots=2)
    for name in ("a", "b"):
        adapter.suggest(name)
        adapter.started(name)
    assert adapter.advanced("a", Advance(reports=(report(1),)))
    assert adapter.error is error
    assert adapter.advanced("b", Advance())
    assert adapter.suggest("c") is None
    assert not adapter.more()


def test_a_signal_stops_every_trial() -> None:
    class Requested(DeferredInterrupt):
        requested = False  # type: ignore[assignment]

    interrupt, events = Requested(), list[Event]()
    adapter = TuneAdapter(Listed([FIRST, SECOND]), events.append, interrupt, make_result, limit=None, slots=2)
    adapter.suggest("a")
    adapter.started("a")
    interrupt.requested = True  # type: ignore[misc]
    assert adapter.advanced("a", Advance(reports=(report(1),)))
    assert adapter.suggest("b") is None
