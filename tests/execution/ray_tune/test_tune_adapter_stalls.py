"""What the adapter does about trials without progress, without Ray and by a clock of the test's own."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.ray_tune.tune_adapter import TuneAdapter
from tal_search.execution.stalls import NAMED_SECONDS, StallWatch, this_process
from tal_search.execution.worker import Advance
from tal_search.files.heartbeat import FILE
from tal_search.proposers.events import Event, Failed, Finished, Noted, Stalled, Started
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.small_trials import Listed, make_result, make_spec

SPEC = make_spec()
MINUTES = 5.0


class Driver:
    """An adapter of one trial, "a", with its events and a clock."""

    def __init__(self, runs: Path, driver: str | None = None) -> None:
        self.events: list[Event] = []
        self.now, self.runs = 0.0, runs
        self.adapter = TuneAdapter(
            Listed([SPEC]), self.events.append, DeferredInterrupt(), self._result, limit=None, slots=1,
            stalls=StallWatch(runs, MINUTES, self._clock), clock=self._clock,
        )  # fmt: skip
        assert self.adapter.suggest("a") == SPEC
        self.beat(this_process() if driver is None else driver)

    def beat(self, driver: str) -> None:
        path = TrialFolder.of(self.runs, SPEC.key).path / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"doing": "epoch 1", "device": "cpu", "pid": 8, "host": "node", "driver": driver}))
        os.utime(path, ns=(int(self.now) + 1, int(self.now) + 1))

    def wait(self, minutes: float, worker: bool = True) -> list[str]:
        killed = []
        for _ in range(round(60 * minutes)):
            self.now += 1.0
            killed += self.adapter.stalled({"a"} if worker else set())
        return killed

    def texts(self) -> list[str]:
        return [event.text or "goes on" for event in self.events if isinstance(event, Stalled | Noted)]

    def _clock(self) -> float:
        return self.now

    def _result(self, spec: TrialSpec) -> TrialResult:
        return make_result(spec)


def test_a_stalled_worker_is_named_then_killed_and_its_trial_begins_anew(tmp_path: Path) -> None:
    driver = Driver(tmp_path)
    driver.adapter.started("a")
    assert driver.wait(1.1) == []
    assert driver.texts() == ["no progress for 1 min (last: epoch 1; cpu, process 8 on node)"]
    assert driver.wait(4) == ["a"]
    assert driver.adapter.killed_for("a") == "no progress for 5 min (last: epoch 1; cpu, process 8 on node)"
    driver.adapter.recovers("a", "again")
    driver.adapter.started("a")
    assert driver.adapter.killed_for("a") is None, "a later death is another one"
    assert driver.wait(NAMED_SECONDS / 60) == []
    assert [type(event) for event in driver.events] == [Started, Stalled, Noted, Started]


def test_a_worker_that_stops_before_its_next_trial_is_killed(tmp_path: Path) -> None:
    driver = Driver(tmp_path)
    assert driver.wait(5.1) == ["a"]


def test_a_worker_process_that_does_not_come_up_is_named_and_nothing_is_killed(tmp_path: Path) -> None:
    driver = Driver(tmp_path)
    assert driver.wait(60, worker=False) == []
    (named,) = driver.events
    assert isinstance(named, Stalled)


def test_a_trial_whose_end_is_known_does_not_stall(tmp_path: Path) -> None:
    driver = Driver(tmp_path)
    driver.adapter.started("a")
    driver.adapter.advanced("a", Advance(finished=True))
    assert driver.wait(60) == []
    assert driver.events == [Started(SPEC), Finished(SPEC, make_result(SPEC))]


def test_a_fit_held_by_a_stalled_process_of_another_study_fails_and_leaves_its_worker(tmp_path: Path) -> None:
    driver = Driver(tmp_path, driver="process 5 on other")
    driver.adapter.started("a")
    assert driver.wait(5.1) == [], "our own worker answers, so it is not killed"
    assert driver.adapter.advanced("a", Advance())
    failed = driver.events[-1]
    assert isinstance(failed, Failed)
    assert failed.reason == (
        "another command trains the same fit and made no progress for 5 min (last: epoch 1; cpu, process 8 on node), "
        "started by process 5 on other; end that process, and the next command trains the fit"
    )


def test_a_worker_that_does_not_answer_while_it_waits_for_another_is_killed(tmp_path: Path) -> None:
    driver = Driver(tmp_path, driver="process 5 on other")
    driver.adapter.started("a")
    assert driver.wait(6.1) == ["a"]
