"""What only Ray does: many workers, workers that die, a cluster to join."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tal_search.errors import InputError
from tal_search.proposers.events import WAIT, Event, Failed, Finished, Noted, Started, Wait
from tal_search.study import ResourceSettings
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tests.record.test_locked_record import EPOCH_SECONDS, EPOCHS, check_that_trials_go_on
from tests.support.ray_cluster import cluster_fixture, importable_fixture, of, on_cluster_fixture, ray_backend, run  # noqa: F401
from tests.support.small_plans import cell_spec, plan_of
from tests.support.small_trials import Listed, history, make_result, make_spec
from tests.support.waiting import DEADLINE, GONE_SECONDS


def test_ray_starts_a_killed_worker_again_and_gives_up_in_the_end(on_cluster: None, tmp_path: Path) -> None:
    once, always = make_spec(0, deaths=1), make_spec(1, deaths=100)
    events = run(ray_backend(tmp_path, retries=2), [once, always])
    assert isinstance(of(events, once)[-1], Finished)
    again = "its worker process died; started again from its checkpoint"
    assert [event for event in of(events, once) if isinstance(event, Noted)] == [Noted(once, f"{again} (1 of 2)")]
    assert Noted(always, f"{again} (2 of 2)") in events
    assert history(TrialFolder.of(tmp_path, once.key)) == [
        "epoch 1", "epoch 2", "death", "epoch 2", "epoch 3", "finished",
    ]  # fmt: skip
    assert of(events, always)[-1] == Failed(always, "its worker process died 3 times (killed, or out of memory)")
    assert len(history(TrialFolder.of(tmp_path, always.key), "death")) == 3


def test_ray_starts_nothing_again_without_retries(on_cluster: None, tmp_path: Path) -> None:
    spec = make_spec(0, deaths=1)
    events = run(ray_backend(tmp_path, retries=0), [spec])
    assert events[-1] == Failed(spec, "its worker process died (killed, or out of memory)")
    assert not [event for event in events if isinstance(event, Noted)]


def test_ray_takes_a_result_that_came_with_the_last_epoch_although_the_trial_was_to_stop(
    on_cluster: None, tmp_path: Path
) -> None:
    spec = make_spec(epochs=1, stopped=True)
    assert run(ray_backend(tmp_path), [spec])[-1] == Finished(spec, make_result(spec))


def test_a_ray_that_joins_gets_no_token_of_our_own() -> None:
    script = "import os; from tal_search.execution.ray_tune import ray_settings; "
    script += "ray_settings.prepare('10.0.0.1:6379'); "
    script += "from tal_search.execution.ray_tune import ray_backend; print(os.environ.get('RAY_AUTH_TOKEN'))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    said = subprocess.run([sys.executable, "-c", script], env=environment, text=True, capture_output=True, check=True)
    assert said.stdout == "None\n"


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


def test_ray_runs_short_trials_on_every_worker_there_is_room_for(
    on_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine starts a worker slowly.
    monkeypatch.setattr("tal_search.execution.ray_tune.tune_adapter.HOLD_SECONDS", DEADLINE)
    specs = [make_spec(seed, epochs=1, seconds=0.3) for seed in range(12)]
    live, together = set[str](), []

    def handle(event: Event) -> None:
        live.add(event.spec.key) if isinstance(event, Started) else None
        together.append(len(live))
        live.discard(event.spec.key) if isinstance(event, Finished) else None

    ray_backend(tmp_path, concurrent_trials=2).run(Listed(specs), handle)
    assert max(together) == 2


def test_ray_goes_on_with_another_tuner(on_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tal_search.execution.ray_tune.ray_backend.TRIALS_PER_TUNER", 3)
    specs = [make_spec(seed, epochs=1) for seed in range(6)]
    events = run(ray_backend(tmp_path), specs)
    assert sorted(event.spec.seed for event in events if isinstance(event, Finished)) == list(range(6))


def test_workers_of_ray_go_on_while_the_record_is_locked(on_cluster: None, tmp_path: Path) -> None:
    specs = [cell_spec(seed, epochs=EPOCHS, seconds=EPOCH_SECONDS) for seed in range(14)]
    plan = plan_of(tmp_path, specs)
    resources = ResourceSettings(backend="ray", cpus_per_trial=0.5, concurrent_trials=2)
    plan = replace(plan, study=replace(plan.study, resources=resources))
    check_that_trials_go_on(plan, after=4, meanwhile=6)  # both workers run by then


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
    assert not psutil.wait_procs(children, timeout=GONE_SECONDS)[1]
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
