"""One suite for both backends: specs in, events out, interrupted trials saved."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from small_trials import counting_trial, history, make_result, make_spec

from tal_search.errors import InputError
from tal_search.search.backend import Backend, Event, Failed, Finished, Reported, Started
from tal_search.search.inline_backend import InlineBackend
from tal_search.search.proposer import Planned
from tal_search.trial_folder import TrialFolder
from tal_search.types import TrialSpec

Make = Callable[[Path], Backend]


def ray_backend(runs: Path, **settings: float) -> Backend:
    from tal_search.search.ray_backend import RayBackend

    return RayBackend(runs=runs, trial=counting_trial, **{"cpus_per_trial": 0.5, **settings})  # type: ignore[arg-type]


def inline_backend(runs: Path) -> Backend:
    return InlineBackend(runs=runs, trial=counting_trial)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes find the tests' trial function."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


CLUSTER = """
import sys
from tal_search.search import ray_backend
with ray_backend._ray():
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


def run(backend: Backend, specs: list[TrialSpec]) -> list[Event]:
    events: list[Event] = []
    main = threading.current_thread()

    def handle(event: Event) -> None:
        assert threading.current_thread() is main
        events.append(event)

    backend.run(Planned(specs), handle)
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
        make(tmp_path).run(Planned([spec]), handle)
    assert history(TrialFolder.of(tmp_path, spec.key))[-1] == "saved"


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_backends as suite
specs = [suite.make_spec(seed, epochs=200, seconds=0.05) for seed in range(2)]
def handle(event):
    print(type(event).__name__, event.spec.seed, flush=True)
try:
    suite.{make}(Path({runs!r})).run(suite.Planned(specs), handle)
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
"""


@pytest.mark.parametrize("name", ["inline_backend", "ray_backend"])
def test_ctrl_c_saves_running_trials(name: str, tmp_path: Path) -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parent), make=name, runs=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )
    assert process.stdout is not None
    running = 1 if name == "inline_backend" else 2
    seen: set[str] = set()
    while not seen.issuperset(f"Reported {seed}" for seed in range(running)):
        line = process.stdout.readline()
        assert line, process.communicate()
        seen.add(line.strip())
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the driver and all it started
    out, err = process.communicate(timeout=60)
    assert out.splitlines()[-1] == "KeyboardInterrupt", (out, err)
    assert err == ""
    specs = [make_spec(seed, epochs=200, seconds=0.05) for seed in range(running)]
    for spec in specs:
        folder = TrialFolder.of(tmp_path, spec.key)
        assert history(folder)[-1] == "saved"
        saved = json.loads((folder.path / "count.json").read_text())["epoch"]
        assert saved == len(history(folder, "epoch")) > 0


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
    assert history(TrialFolder.of(tmp_path, once.key)) == [
        "epoch 1", "epoch 2", "death", "epoch 2", "epoch 3", "finished",
    ]  # fmt: skip
    assert of(events, always)[-1] == Failed(always, "its worker process died 4 times (killed, or out of memory)")
    assert len(history(TrialFolder.of(tmp_path, always.key), "death")) == 4


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

    ray_backend(tmp_path, concurrent_trials=1).run(Planned(specs), handle)
    assert most == 1
    assert not open_to_others
    assert len(children) > 2
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials"]


def test_ray_refuses_a_trial_larger_than_the_machine(on_cluster: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"resources\.cpus_per_trial is 1000, but there is only \d+ CPU"):
        run(ray_backend(tmp_path, cpus_per_trial=1000), [make_spec()])
