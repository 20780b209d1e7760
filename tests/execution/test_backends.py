"""One suite for both backends: specs in, events out, interrupted trials saved."""

from __future__ import annotations

import fcntl
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tal_search.execution.backend import Backend
from tal_search.execution.inline_backend import InlineBackend
from tal_search.proposers.events import WAIT, Event, Failed, Finished, Noted, Pruned, Reported, Started
from tal_search.trial.folder import TrialFolder
from tests.support.ray_cluster import cluster_fixture, importable_fixture, of, on_cluster_fixture, ray_backend, run  # noqa: F401
from tests.support.small_trials import Listed, counting_trial, history, make_result, make_spec

Make = Callable[[Path], Backend]


def inline_backend(runs: Path) -> Backend:
    return InlineBackend(runs=runs, trial=counting_trial)


@pytest.fixture(params=[inline_backend, ray_backend], ids=["inline", "ray"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param is ray_backend:
        request.getfixturevalue("on_cluster")
    return request.param  # type: ignore[no-any-return]


def test_every_spec_runs_once_and_reports_every_epoch_in_order(make: Make, tmp_path: Path) -> None:
    specs = [make_spec(seed) for seed in range(5)]
    events = run(make(tmp_path), specs)
    for spec in specs:
        kinds = [type(event) for event in of(events, spec)]
        assert kinds == [Started, Reported, Reported, Reported, Finished]
        epochs = [event.report.epoch for event in of(events, spec) if isinstance(event, Reported)]
        assert epochs == [1, 2, 3]
        assert of(events, spec)[-1] == Finished(spec, make_result(spec))
        assert history(TrialFolder.of(tmp_path, spec.key)) == ["epoch 1", "epoch 2", "epoch 3", "finished"]


def test_a_failing_trial_is_an_event_runs_once_and_leaves_the_others_alone(make: Make, tmp_path: Path) -> None:
    broken = make_spec(1, raises="the loss is not finite")
    specs = [make_spec(0), broken, make_spec(2)]
    events = run(make(tmp_path), specs)
    assert of(events, broken)[-1] == Failed(broken, "ValueError: the loss is not finite")
    assert [type(event) for event in events].count(Finished) == 2
    folder = TrialFolder.of(tmp_path, broken.key)
    assert history(folder) == ["epoch 1"]
    assert "in counting_trial" in folder.log.read_text()
    assert folder.result() is None


def test_a_finished_folder_gives_its_result_without_training(make: Make, tmp_path: Path) -> None:
    spec = make_spec()
    TrialFolder.of(tmp_path, spec.key).write_result(make_result(spec))
    assert run(make(tmp_path), [spec]) == [Started(spec), Finished(spec, make_result(spec))]


def test_a_trial_that_another_process_holds_is_waited_for(make: Make, tmp_path: Path) -> None:
    spec = make_spec()
    folder = TrialFolder.of(tmp_path, spec.key)
    folder.path.mkdir(parents=True)
    with (folder.path / "lock").open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)

        def other() -> None:
            time.sleep(1)
            folder.write_result(make_result(spec))
            fcntl.flock(lock.fileno(), fcntl.LOCK_UN)

        thread = threading.Thread(target=other)
        thread.start()
        events = run(make(tmp_path), [spec])
        thread.join()
    assert events == [Started(spec), Finished(spec, make_result(spec))]
    assert history(folder) == []


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


def test_what_a_trial_says_is_handed_on_before_its_reports(make: Make, tmp_path: Path) -> None:
    spec = make_spec(epochs=1, notes=["its checkpoint is damaged; the one before is used"])
    events = run(make(tmp_path), [spec])
    assert events[1] == Noted(spec, "its checkpoint is damaged; the one before is used")
    assert [type(event) for event in events] == [Started, Noted, Reported, Finished]


def test_a_resumed_trial_reports_only_new_epochs(make: Make, tmp_path: Path) -> None:
    spec = make_spec(epochs=4)
    steps = counting_trial(spec, TrialFolder.of(tmp_path, spec.key))
    next(steps), next(steps)
    steps.close()  # type: ignore[attr-defined]
    reported = [event.report.epoch for event in run(make(tmp_path), [spec]) if isinstance(event, Reported)]
    assert reported == [3, 4]


def test_a_wait_with_nothing_under_way_is_an_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, RuntimeError), match="waits, but no trial is under way"):
        run(make(tmp_path), [WAIT])
