"""Ray alone: many workers at once, tuners in turn, and room for trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.execution.ray_tune.ray_backend import GIB, trials_at_once
from tal_search.proposers.events import WAIT, Event, Finished, Started
from tal_search.study import ResourceSettings
from tests.support.locked_records import EPOCH_SECONDS, EPOCHS, check_that_trials_go_on
from tests.support.ray_cluster import ray_backend, run
from tests.support.small_plans import cell_spec, plan_of
from tests.support.small_trials import Listed, make_spec
from tests.support.waiting import DEADLINE


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
    specs = [make_spec(seed, epochs=1) for seed in range(4)]
    events = run(ray_backend(tmp_path), [*specs[:2], WAIT, *specs[2:]])
    assert sorted(event.spec.seed for event in events if isinstance(event, Finished)) == list(range(4))


def test_workers_of_ray_go_on_while_the_record_is_locked(on_cluster: None, tmp_path: Path) -> None:
    specs = [cell_spec(seed, epochs=EPOCHS, seconds=EPOCH_SECONDS) for seed in range(14)]
    plan = plan_of(tmp_path, specs)
    resources = ResourceSettings(backend="ray", cpus_per_trial=0.5, concurrent_trials=2)
    plan = replace(plan, study=replace(plan.study, resources=resources))
    check_that_trials_go_on(plan, after=4, meanwhile=6)  # both workers run by then


def test_room_is_counted_machine_by_machine() -> None:
    need = {"CPU": 0.5, "GPU": 0.0, "memory": 2.0 * GIB}
    machines = [{"CPU": 2.0, "memory": 5.0 * GIB}, {"CPU": 1.0, "memory": 64.0 * GIB}, {"CPU": 8.0}]
    assert trials_at_once(need, machines) == 2 + 2 + 0
    assert trials_at_once({"CPU": 0.1, "GPU": 0.0, "memory": 0.0}, [{"CPU": 0.3}]) == 3  # 0.3 / 0.1 is less than 3


@pytest.mark.parametrize(
    ("need", "problem"),
    [
        ({"CPU": 3.0}, r"resources\.cpus_per_trial is 3, but there is only 2 CPU; lower it"),
        ({"GPU": 0.5}, r"resources\.gpus_per_trial is 0\.5, but there is only 0 GPU; lower it"),
        ({"memory": 2.0 * GIB}, r"resources\.memory_per_trial is 2, but there is only 1 GiB of memory; lower it"),
    ],
)
def test_a_trial_larger_than_every_machine_is_refused(need: dict[str, float], problem: str) -> None:
    machines = [{"CPU": 2.0, "memory": 1.0 * GIB}, {"CPU": 1.0, "memory": 1.0 * GIB}]
    with pytest.raises(InputError, match=problem):
        trials_at_once({"CPU": 1.0, "GPU": 0.0, "memory": 0.0} | need, machines)
