"""Fixtures and helpers of the tests of backends; not tests themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tal_search.execution.backend import Backend
from tal_search.proposers.events import Event, Wait
from tal_search.trial.trial_types import TrialSpec
from tests.support.small_trials import Listed, counting_trial
from tests.support.waiting import IMPORTABLE


def ray_backend(runs: Path, **settings: float | str) -> Backend:
    from tal_search.execution.ray_tune.ray_backend import RayBackend

    return RayBackend(runs=runs, trial=counting_trial, **settings)  # type: ignore[arg-type]


@pytest.fixture(name="importable", autouse=True)
def importable_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes find the tests' trial function."""
    monkeypatch.setenv("PYTHONPATH", IMPORTABLE)


CLUSTER = """
import sys
from pathlib import Path
from tal_search.execution.ray_tune import ray_backend
from tal_search.execution.interrupts import DeferredInterrupt
with DeferredInterrupt() as interrupt, ray_backend._ray(None, interrupt):
    print(ray_backend.ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(name="cluster", scope="module")
def cluster_fixture() -> Iterator[str]:
    """The address of a Ray that serves all tests of this file that need not start their own."""
    import tal_search.execution.ray_tune.ray_backend  # noqa: F401 - sets the token that this process and the cluster share

    environment = {**os.environ, "PYTHONPATH": IMPORTABLE}
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("")


@pytest.fixture(name="on_cluster")
def on_cluster_fixture(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)


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
