"""Trials in worker processes, scheduled by Ray Tune.

Tune places trials on CPUs and GPUs, reuses worker processes and restarts a killed one; its saved experiment state, its
checkpoints and its loggers are not used: a trial's folder holds its checkpoints, and the record is authoritative.
"""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tal_search.errors import InputError, MissingExtra
from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.ray_tune import ray_settings
from tal_search.execution.ray_tune.ray_address import RayAddress
from tal_search.execution.ray_tune.scratch import scratch_folder
from tal_search.execution.ray_tune.tune_adapter import TuneAdapter
from tal_search.execution.stalls import StallWatch, this_process
from tal_search.execution.worker import TrialFunction
from tal_search.proposers.events import Handler, Proposer
from tal_search.trial.folder import TrialFolder

GIB = 2**30
STEP_SECONDS = 0.25  # each message costs a trial 20 ms; a pruner acts only on messages
TRIALS_PER_TUNER = 500  # a Tuner keeps 47 kB for each trial it has run; starting a new Tuner takes two seconds


class RayBackend:
    """cpus_per_trial, gpus_per_trial: may be fractions; concurrent_trials: None = as many as fit.

    memory_bytes: of each trial, for placing it (Ray does not enforce it). retries: times a trial whose worker process
    died is started again from its checkpoint; an error of the trial itself ends it. address: of the cluster to join
    ("auto", HOST:PORT), whose machines must share `runs`; None = the environment variable RAY_ADDRESS, or if that is
    unset a local Ray that ends with the study. step_seconds: how long a worker trains between two messages; a
    trial is stopped only there. stall_minutes: without progress after which a worker process is killed, and its trial
    started again as after any death; None = never.
    """

    def __init__(
        self,
        *,
        runs: Path,
        trial: TrialFunction,
        cpus_per_trial: float = 1.0,
        gpus_per_trial: float = 0.0,
        memory_bytes: int | None = None,
        concurrent_trials: int | None = None,
        retries: int = 3,
        address: str | None = None,
        step_seconds: float = STEP_SECONDS,
        stall_minutes: float | None = None,
    ) -> None:
        self._runs, self._trial, self._step_seconds = runs.resolve(), trial, step_seconds
        self._need = {"CPU": cpus_per_trial, "GPU": gpus_per_trial, "memory": float(memory_bytes or 0)}
        self._limit, self._retries, self._stall_minutes = concurrent_trials, retries, stall_minutes
        self._address = RayAddress.of(address)

    def run(self, proposer: Proposer, handle: Handler) -> None:
        """See `Backend.run`.

        Raises InputError where no machine is large enough for one trial or no cluster can be joined at the address,
        MissingExtra without Ray, and TalSearchError where Ray itself dies.
        """
        self._address.require_answer()
        ray_settings.prepare(self._address.address)
        try:
            from tal_search.execution.ray_tune.ray_session import machines, ray_session
            from tal_search.execution.ray_tune.tune_hooks import WorkerSettings, make_tuner
        except ImportError as error:
            raise MissingExtra("ray", "ray") from error

        worker = WorkerSettings(self._runs, self._trial, self._step_seconds, this_process())
        with DeferredInterrupt() as interrupt, ray_session(self._address, interrupt) as folder:
            with interrupt.interruptible():
                adapter = TuneAdapter(
                    proposer,
                    handle,
                    interrupt,
                    lambda spec: TrialFolder.of(self._runs, spec.key).result(),
                    limit=self._limit,
                    slots=trials_at_once(self._need, machines()),
                    stalls=StallWatch(self._runs, self._stall_minutes),
                )
                while adapter.more():
                    make_tuner(
                        adapter, worker, need=self._need, retries=self._retries, trials=TRIALS_PER_TUNER, storage=folder
                    ).fit()
                    shutil.rmtree(folder / "study", ignore_errors=True)
                    _give_memory_back()
            if adapter.error is not None:
                raise adapter.error
            interrupt.check()


def require_ray(address: str | None, cpus_per_trial: float) -> None:
    """Raise InputError where no cluster can be at the address, or no trial can run on this machine.

    address: the study's `ray.address`.
    """
    where = RayAddress.of(address)
    where.require_answer()
    if where.address is None:
        cpus = len(os.sched_getaffinity(0))
        trials_at_once({"CPU": cpus_per_trial, "GPU": 0.0, "memory": 0.0}, [{"CPU": cpus}])
        with scratch_folder():
            pass


def trials_at_once(need: Mapping[str, float], machines: Sequence[Mapping[str, float]]) -> int:
    """The number of trials that fit at once, each on one machine; resources by Ray's names, memory in bytes.

    Raises InputError if a single trial is too large for every machine.
    """
    for name, unit, size in (("CPU", "CPU", 1), ("GPU", "GPU", 1), ("memory", "GiB of memory", GIB)):
        have = max((machine.get(name, 0.0) for machine in machines), default=0.0)
        if need[name] > have:
            key = f"resources.{name.lower()}{'' if name == 'memory' else 's'}_per_trial"
            raise InputError(f"{key} is {need[name] / size:g}, but there is only {have / size:.4g} {unit}; lower it")
    needs = [(name, amount) for name, amount in need.items() if amount]
    return sum(min(int(machine.get(name, 0.0) / amount + 1e-9) for name, amount in needs) for machine in machines)


def _give_memory_back() -> None:
    """Free an ended Tuner, whose objects form cycles, and return the memory that glibc keeps for Ray's threads."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
