"""One suite for both backends: specs in, events out, interrupted trials saved."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from small_trials import Listed, counting_trial, history, make_result, make_spec

from tal_search.errors import InputError
from tal_search.search.backend import WAIT, Backend, Event, Failed, Finished, Noted, Pruned, Reported, Started, Wait
from tal_search.search.inline_backend import InlineBackend
from tal_search.trial_folder import TrialFolder
from tal_search.types import TrialSpec

Make = Callable[[Path], Backend]


def ray_backend(runs: Path, **settings: float | str) -> Backend:
    from tal_search.search.ray_backend import RayBackend

    return RayBackend(runs=runs, trial=counting_trial, **settings)  # type: ignore[arg-type]


def inline_backend(runs: Path) -> Backend:
    return InlineBackend(runs=runs, trial=counting_trial)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes find the tests' trial function."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


CLUSTER = """
import sys
from pathlib import Path
from tal_search.search import ray_backend
from tal_search.search.interrupts import DeferredInterrupt
with DeferredInterrupt() as interrupt, ray_backend._ray(None, interrupt):
    print(ray_backend.ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray that serves all tests of this file that need not start their own."""
    import tal_search.search.ray_backend  # noqa: F401 - sets the token that this process and the cluster share

    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("")


@pytest.fixture
def on_cluster(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)


@pytest.fixture(params=[inline_backend, ray_backend], ids=["inline", "ray"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param is ray_backend:
        request.getfixturevalue("on_cluster")
    return request.param  # type: ignore[no-any-return]


def run(backend: Backend, specs: list[TrialSpec | Wait] | list[TrialSpec]) -> list[Event]:
    events: list[Event] = []
    main = threading.current_thread()

    def handle(event: Event) -> None:
        assert threading.current_thread() is main
        events.append(event)

    backend.run(Listed(specs), handle)
    return events


def of(events: list[Event], spec: TrialSpec) -> list[Event]:
    return [event for event in events if event.spec == spec]


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


def test_a_result_wins_over_a_stop(make: Make, tmp_path: Path) -> None:
    spec = make_spec(epochs=1, stopped=True)
    end = run(make(tmp_path), [spec])[-1]
    # Inline asks after each epoch; a step on Ray holds the last epoch and the result.
    assert end == Finished(spec, make_result(spec)) or isinstance(make(tmp_path), InlineBackend)


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


def test_ray_starts_a_killed_worker_again_and_gives_up_after_three(on_cluster: None, tmp_path: Path) -> None:
    once, always = make_spec(0, deaths=1), make_spec(1, deaths=100)
    events = run(ray_backend(tmp_path), [once, always])
    assert isinstance(of(events, once)[-1], Finished)
    again = "its worker process died; started again from its checkpoint"
    assert [event for event in of(events, once) if isinstance(event, Noted)] == [Noted(once, f"{again} (1 of 3)")]
    assert Noted(always, f"{again} (3 of 3)") in events
    assert history(TrialFolder.of(tmp_path, once.key)) == [
        "epoch 1", "epoch 2", "death", "epoch 2", "epoch 3", "finished",
    ]  # fmt: skip
    assert of(events, always)[-1] == Failed(always, "its worker process died 4 times (killed, or out of memory)")
    assert len(history(TrialFolder.of(tmp_path, always.key), "death")) == 4


def test_ray_starts_nothing_again_without_retries(on_cluster: None, tmp_path: Path) -> None:
    spec = make_spec(0, deaths=1)
    events = run(ray_backend(tmp_path, retries=0), [spec])
    assert events[-1] == Failed(spec, "its worker process died (killed, or out of memory)")
    assert not [event for event in events if isinstance(event, Noted)]


def test_ray_asks_again_after_a_wait_only_when_a_trial_has_ended(on_cluster: None, tmp_path: Path) -> None:
    first, second = make_spec(0, epochs=4, seconds=0.3), make_spec(1, epochs=1)
    events: list[Event] = []
    asked: list[int] = []  # the number of events at each question

    class Asked(Listed):
        def ask(self) -> TrialSpec | Wait | None:
            asked.append(len(events))
            return super().ask()

    ray_backend(tmp_path).run(Asked([first, WAIT, second]), events.append)
    assert [event.spec for event in events if isinstance(event, Finished)] == [first, second]
    assert events.index(Started(second)) > events.index(Finished(first, make_result(first)))
    assert len(asked) == 4, asked
    assert asked[2] > events.index(Finished(first, make_result(first)))


def test_a_wait_with_nothing_under_way_is_an_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, RuntimeError), match="waits, but no trial is under way"):
        run(make(tmp_path), [WAIT])


def test_ray_runs_short_trials_on_every_worker_there_is_room_for(on_cluster: None, tmp_path: Path) -> None:
    specs = [make_spec(seed, epochs=1, seconds=0.3) for seed in range(12)]
    live, together = set[str](), []

    def handle(event: Event) -> None:
        live.add(event.spec.key) if isinstance(event, Started) else None
        together.append(len(live))
        live.discard(event.spec.key) if isinstance(event, Finished) else None

    ray_backend(tmp_path, concurrent_trials=2).run(Listed(specs), handle)
    assert max(together) == 2


def test_ray_goes_on_with_another_tuner(on_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tal_search.search.ray_backend.TRIALS_PER_TUNER", 3)
    specs = [make_spec(seed, epochs=1) for seed in range(6)]
    events = run(ray_backend(tmp_path), specs)
    assert sorted(event.spec.seed for event in events if isinstance(event, Finished)) == list(range(6))


def test_ray_honours_the_limit_stays_on_loopback_and_leaves_nothing_running(tmp_path: Path) -> None:
    specs = [make_spec(seed, seconds=0.3) for seed in range(3)]
    live, most, open_to_others = set(), 0, []
    before, children = set(psutil.Process().children(recursive=True)), list[psutil.Process]()

    def handle(event: Event) -> None:
        nonlocal most
        live.add(event.spec.key) if isinstance(event, Started) else None
        live.discard(event.spec.key) if isinstance(event, Finished) else None
        most = max(most, len(live))
        children[:] = set(psutil.Process().children(recursive=True)) - before
        for process in children:
            with_sockets = process.net_connections() if process.is_running() else []
            open_to_others.extend(
                (process.name(), c.laddr)
                for c in with_sockets
                if c.status == psutil.CONN_LISTEN and c.laddr.ip.removeprefix("::ffff:") != "127.0.0.1"
            )

    ray_backend(tmp_path, concurrent_trials=1).run(Listed(specs), handle)
    assert most == 1
    assert not open_to_others
    assert len(children) > 2
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials"]


def test_ray_refuses_a_trial_larger_than_the_machine(on_cluster: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"resources\.cpus_per_trial is 1000, but there is only \d+ CPU"):
        run(ray_backend(tmp_path, cpus_per_trial=1000), [make_spec()])
    with pytest.raises(
        InputError, match=r"resources\.memory_per_trial is 4096, but there is only [\d.]+ GiB of memory"
    ):
        run(ray_backend(tmp_path, memory_bytes=2**42), [make_spec()])


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("127.0.0.1:9", "ray.address is 127.0.0.1:9, but nothing answers there"),
        ("ray://127.0.0.1:10001", "not driven through Ray's client; give HOST:PORT"),
    ],
)
def test_ray_refuses_an_address_without_a_cluster(address: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(problem)):
        run(ray_backend(tmp_path, address=address), [make_spec()])


def test_ray_joins_the_cluster_of_its_address(cluster: str, tmp_path: Path) -> None:
    spec = make_spec()
    assert run(ray_backend(tmp_path, address=cluster), [spec])[-1] == Finished(spec, make_result(spec))
