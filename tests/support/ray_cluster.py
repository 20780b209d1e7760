"""A Ray in another process, and helpers that run backends of counting trials."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tal_search.execution.backend import Backend
from tal_search.execution.ray_tune.ray_backend import RayBackend
from tal_search.proposers.events import Event, Wait
from tal_search.trial.trial_types import TrialSpec
from tests.support.small_trials import Listed, counting_trial
from tests.support.waiting import IMPORTABLE

CLUSTER = """
import sys
from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.ray_tune import ray_settings
ray_settings.prepare(None)
from tal_search.execution.ray_tune.ray_address import RayAddress
from tal_search.execution.ray_tune.ray_session import ray, ray_session
with DeferredInterrupt() as interrupt, ray_session(RayAddress(None, ""), interrupt):
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


@contextmanager
def running_cluster() -> Iterator[str]:
    """The address of a Ray that lives as long as the block; its token is that of this process's environment."""
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": IMPORTABLE},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("")


def ray_backend(runs: Path, **settings: float | str) -> Backend:
    return RayBackend(runs=runs, trial=counting_trial, **settings)  # type: ignore[arg-type]


def run(backend: Backend, specs: Sequence[TrialSpec | Wait]) -> list[Event]:
    events: list[Event] = []
    main = threading.current_thread()

    def handle(event: Event) -> None:
        assert threading.current_thread() is main
        events.append(event)

    backend.run(Listed(specs), handle)
    return events


def of(events: list[Event], spec: TrialSpec) -> list[Event]:
    return [event for event in events if event.spec == spec]
