"""One suite for both backends: specs in, events out, interrupted trials saved."""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tal_search.execution.backend import Backend
from tal_search.execution.inline_backend import InlineBackend
from tal_search.proposers.events import WAIT, Event, Failed, Finished, Noted, Pruned, Reported, Started
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tests.support.ray_cluster import of, ray_backend, run
from tests.support.small_trials import Listed, counting_trial, history, make_result, make_spec
from tests.support.waiting import wait_for

Make = Callable[[Path], Backend]

PLAIN = [make_spec(seed) for seed in range(4)]
BROKEN = make_spec(4, raises="the loss is not finite")
KNOWN, SHARED = make_spec(5), make_spec(6)
RESUMED = make_spec(7, epochs=4)
NOTED = make_spec(8, epochs=1, notes=["its checkpoint is damaged; the one before is used"])


@pytest.fixture(scope="module", params=["inline", "ray"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "ray":
        return partial(ray_backend, address=request.getfixturevalue("cluster"))
    return lambda runs: InlineBackend(runs=runs, trial=counting_trial)


class Ran(NamedTuple):
    """Events of one run of all the trials above, and its folder."""

    events: list[Event]
    runs: Path

    def of(self, spec: TrialSpec) -> list[Event]:
        return of(self.events, spec)

    def folder(self, spec: TrialSpec) -> TrialFolder:
        return TrialFolder.of(self.runs, spec.key)


@pytest.fixture(scope="module")
def ran(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    ran = Ran([], tmp_path_factory.mktemp("runs"))
    ran.folder(KNOWN).write_result(make_result(KNOWN))
    steps = counting_trial(RESUMED, ran.folder(RESUMED))
    next(steps), next(steps)
    steps.close()  # type: ignore[attr-defined]
    ran.folder(SHARED).path.mkdir(parents=True)
    with (ran.folder(SHARED).path / "lock").open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)

        def other() -> None:
            wait_for(lambda: Started(SHARED) in ran.events)
            ran.folder(SHARED).write_result(make_result(SHARED))
            fcntl.flock(lock.fileno(), fcntl.LOCK_UN)

        thread = threading.Thread(target=other)
        thread.start()
        main = threading.current_thread()

        def handle(event: Event) -> None:
            assert threading.current_thread() is main
            ran.events.append(event)

        make(ran.runs).run(Listed([*PLAIN, BROKEN, KNOWN, SHARED, RESUMED, NOTED]), handle)
        thread.join()
    return ran


def test_every_spec_runs_once_and_reports_every_epoch_in_order(ran: Ran) -> None:
    for spec in PLAIN:
        kinds = [type(event) for event in ran.of(spec)]
        assert kinds == [Started, Reported, Reported, Reported, Finished]
        epochs = [event.report.epoch for event in ran.of(spec) if isinstance(event, Reported)]
        assert epochs == [1, 2, 3]
        assert ran.of(spec)[-1] == Finished(spec, make_result(spec))
        assert history(ran.folder(spec)) == ["epoch 1", "epoch 2", "epoch 3", "finished"]


def test_a_failing_trial_is_an_event_runs_once_and_leaves_the_others_alone(ran: Ran) -> None:
    assert ran.of(BROKEN)[-1] == Failed(BROKEN, "ValueError: the loss is not finite")
    assert [type(event) for event in ran.events].count(Finished) == len(PLAIN) + 4
    assert history(ran.folder(BROKEN)) == ["epoch 1"]
    assert "in counting_trial" in ran.folder(BROKEN).log.read_text()
    assert ran.folder(BROKEN).result() is None


def test_a_finished_folder_gives_its_result_without_training(ran: Ran) -> None:
    assert ran.of(KNOWN) == [Started(KNOWN), Finished(KNOWN, make_result(KNOWN))]


def test_a_trial_that_another_process_holds_is_waited_for(ran: Ran) -> None:
    assert ran.of(SHARED) == [Started(SHARED), Finished(SHARED, make_result(SHARED))]
    assert history(ran.folder(SHARED)) == []


def test_a_resumed_trial_reports_only_new_epochs(ran: Ran) -> None:
    assert [event.report.epoch for event in ran.of(RESUMED) if isinstance(event, Reported)] == [3, 4]


def test_a_trials_note_comes_before_its_reports(ran: Ran) -> None:
    assert ran.of(NOTED)[1] == Noted(NOTED, "its checkpoint is damaged; the one before is used")
    assert [type(event) for event in ran.of(NOTED)] == [Started, Noted, Reported, Finished]


def test_an_error_of_the_driver_ends_the_run_and_saves_the_trial(make: Make, tmp_path: Path) -> None:
    spec = make_spec(epochs=1000, seconds=0.05)

    def handle(event: Event) -> None:
        if isinstance(event, Reported):
            raise RuntimeError("the record's disk is full")

    with pytest.raises(RuntimeError, match="disk is full"):
        make(tmp_path).run(Listed([spec]), handle)
    assert history(TrialFolder.of(tmp_path, spec.key))[-1] == "saved"


def test_the_proposer_stops_a_trial_whose_checkpoint_is_there_when_the_driver_hears_of_it(
    make: Make, tmp_path: Path
) -> None:
    stopped = [make_spec(seed, epochs=1000, seconds=0.05, stopped=True) for seed in range(2)]
    saved: list[int] = []
    events: list[Event] = []

    def handle(event: Event) -> None:
        events.append(event)
        if isinstance(event, Pruned):
            folder = TrialFolder.of(tmp_path, event.spec.key)
            saved.append(json.loads((folder.path / "count.json").read_text())["epoch"])
            assert history(folder)[-1] == "saved"

    make(tmp_path).run(Listed([*stopped, make_spec(9)]), handle)
    for spec, epochs in zip(stopped, saved, strict=True):
        *before, last = of(events, spec)
        assert last == Pruned(spec)
        assert [type(event) for event in before] == [Started, *[Reported] * epochs]
        assert 0 < epochs < 1000
    assert isinstance(of(events, make_spec(9))[-1], Finished)


def test_a_wait_with_nothing_under_way_is_an_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, RuntimeError), match="waits, but no trial is under way"):
        run(make(tmp_path), [WAIT])
