"""Trials in worker processes, scheduled by Ray Tune. The only file that knows Ray (and so a little long).

Tune places trials on CPUs and GPUs, reuses worker processes and restarts a killed one; its saved experiment state, its
checkpoints and its loggers are not used: a trial's folder is its checkpoint and the record is the truth.
"""
# ruff: noqa: ARG002 - Tune calls its hooks with more than they need

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tal_search.errors import InputError, Interrupted, MissingExtra, TalSearchError
from tal_search.execution.interrupts import DeferredInterrupt
from tal_search.execution.ray_tune import ray_settings
from tal_search.execution.ray_tune.processes import Family
from tal_search.execution.ray_tune.scratch import scratch_folder
from tal_search.execution.ray_tune.tune_adapter import Exchange
from tal_search.execution.ray_tune.watchdog import ServerWatch, answers
from tal_search.execution.worker import Advance, TrialFunction, Work, append_log
from tal_search.proposers.events import WAIT, Handler, Proposer
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec

ray_settings.prepare()

try:
    import ray
    from ray import tune
    from ray.tune import Callback, Stopper
    from ray.tune.search import Searcher
except ImportError as _error:
    raise MissingExtra("ray", "ray") from _error

GIB = 2**30
OBJECT_STORE_BYTES = 100 * 2**20  # specs and reports are small; arrays never travel through Ray
STEP_SECONDS = 0.25
HELD_SECONDS = 0.05  # between questions of a worker whose trial has ended, see `Exchange`
LONGEST_TEMPORARY = 45  # characters; Ray's sockets lie deep below it, and a socket's path has at most 107
TRIALS_PER_TUNER = 500  # a Tuner keeps every trial it ever ran, 43 kB each; a new one costs two seconds
PATIENCE_SECONDS = {"own": 3.0, "joined": 12.0}  # with servers of Ray that do not answer: ours never come back
LEAVING_SECONDS = 12.0  # for what has to be left and shut down once they are given up


class RayBackend:
    """cpus_per_trial, gpus_per_trial: may be fractions; concurrent_trials: None = as many as fit.

    memory_bytes: of each trial, for placing it (Ray does not enforce it). retries: times a trial whose worker process
    died is started again from its checkpoint; an error of the trial itself ends it. address: of the cluster to join
    ("auto", HOST:PORT), whose machines must share `runs`; call `ray_settings.prepare` with it first. None = that of
    the environment variable RAY_ADDRESS, or else a Ray on this machine that ends with the study. step_seconds: how
    long a worker trains between two messages; a trial is stopped only there.
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
    ) -> None:
        self._runs, self._trial, self._step_seconds = runs.resolve(), trial, step_seconds
        self._need = {"CPU": cpus_per_trial, "GPU": gpus_per_trial, "memory": memory_bytes or 0}
        self._limit, self._retries = concurrent_trials, retries
        self._address = address or os.environ.get("RAY_ADDRESS")

    def run(self, proposer: Proposer, handle: Handler) -> None:
        """See `Backend.run`.

        Raises InputError where no machine is large enough for one trial or no cluster answers at the address, and
        TalSearchError where Ray itself died.
        """
        with DeferredInterrupt() as interrupt, _ray(self._address, interrupt) as folder:
            exchange = Exchange(proposer, handle, interrupt, self._limit)
            with interrupt.interruptible():
                exchange.slots = self._slots()
                while exchange.more():
                    self._tuner(folder, exchange).fit()
                    shutil.rmtree(folder / "study", ignore_errors=True)
                    _give_memory_back()
            if exchange.error is not None:
                raise exchange.error
            interrupt.check()

    def _slots(self) -> int:
        """Trials there is room for at once; an InputError where one is too large for every machine."""
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        rooms = [node["Resources"] for node in nodes if node["Alive"]]
        for name, unit, size in (("CPU", "CPU", 1), ("GPU", "GPU", 1), ("memory", "GiB of memory", GIB)):
            have = max((room.get(name, 0.0) for room in rooms), default=0.0)
            if (need := self._need[name]) > have:
                key = f"resources.{name.lower()}{'' if name == 'memory' else 's'}_per_trial"
                raise InputError(f"{key} is {need / size:g}, but there is only {have / size:.4g} {unit}; lower it")
        needs = [(name, need) for name, need in self._need.items() if need]
        return sum(min(int(room.get(name, 0.0) / need + 1e-9) for name, need in needs) for room in rooms)

    def _tuner(self, storage: Path, exchange: Exchange) -> tune.Tuner:
        trainable = tune.with_parameters(
            _Trainable, runs=self._runs, trial=self._trial, step_seconds=self._step_seconds
        )
        return tune.Tuner(
            tune.with_resources(trainable, {name.lower(): need for name, need in self._need.items()}),
            tune_config=tune.TuneConfig(
                search_alg=_Searcher(exchange),
                num_samples=TRIALS_PER_TUNER,  # or until the searcher says that it is finished
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(storage),
                verbose=0,
                stop=_Stop(exchange),
                callbacks=[_Events(self._runs, self._retries, exchange)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=self._retries),
            ),
        )


class _Trainable(tune.Trainable):
    """One worker process; a step runs whole epochs for a moment, so that fast epochs do not wait on messages."""

    def setup(self, config: dict[str, Any], **parameters: Any) -> None:
        self._runs: Path = parameters["runs"]
        self._function: TrialFunction = parameters["trial"]
        self._step_seconds: float = parameters["step_seconds"]
        self._started: bool
        self._over: bool
        self._work = self._open(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._work.close()
        self._work = self._open(new_config)
        return True

    def step(self) -> dict[str, Any]:
        if self._over:
            time.sleep(HELD_SECONDS)
        # The first step trains nothing: a trial that waited for a worker when Ctrl-C came is stopped after it.
        advance = self._work.advance(self._step_seconds) if self._started and not self._over else Advance()
        self._started = True
        self._over = self._over or advance.result is not None or advance.failed is not None
        return {
            "notes": list(advance.notes),
            "reports": [asdict(report) for report in advance.reports],
            "result": None if advance.result is None else advance.result.to_json(),
            "failed": advance.failed,
        }

    def save_progress(self) -> None:
        self._work.close()

    def cleanup(self) -> None:
        self._work.close()

    def _open(self, config: dict[str, Any]) -> Work:
        self._started = self._over = False
        return Work(TrialSpec.from_json(json.loads(config["spec"])), self._runs, self._function)


class _NotSaved:
    """Tune pickles what it is given, to restore an experiment one day; here the record does that."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Stop(_NotSaved, Stopper):
    """Hands on each result of a trial and ends it where the driver wants that."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self._exchange.advanced(trial_id, result)

    def stop_all(self) -> bool:
        return False


class _Searcher(_NotSaved, Searcher):
    """Tune's view of a Proposer."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        spec = self._exchange.suggest(trial_id)
        if spec is WAIT:
            return None
        return str(Searcher.FINISHED) if spec is None else {"spec": json.dumps(spec.to_json())}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: the proposer hears of it from the driver."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the record is the state."""


class _Events(_NotSaved, Callback):
    """Tune's other news of trials."""

    def __init__(self, runs: Path, retries: int, exchange: Exchange) -> None:
        self._runs, self._retries, self._exchange = runs, retries, exchange

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._exchange.started(trial.trial_id)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        times = f"({trial.num_failures} of {self._retries})"
        started = "could not start" if _in_creation(trial) else "died"
        self._exchange.recovers(
            trial.trial_id, f"its worker process {started}; started again from its checkpoint {times}"
        )

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if self._exchange.stopped(trial.trial_id):
            # The worker would save when its next trial comes; but who hears of `Pruned` may count on the checkpoint.
            with suppress(ray.exceptions.RayError):  # the worker died meanwhile
                ray.get(trial.temporary_state.ray_actor.save_progress.remote())
            self._exchange.pruned(trial.trial_id)
        self._exchange.forget(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        text = str(trial.get_error())
        append_log(TrialFolder.of(self._runs, self._exchange.spec(trial.trial_id).key), text)
        if _in_creation(trial):  # the process lives, but cannot import the trial or open its folder
            reason = f"its worker process could not start: {text.strip().splitlines()[-1]}"
        else:
            times = f" {self._retries + 1} times" if self._retries else ""
            reason = f"its worker process died{times} (killed, or out of memory)"
        self._exchange.failed(trial.trial_id, reason)
        self._exchange.forget(trial.trial_id)


def _give_memory_back() -> None:
    """A Tuner and its trials refer to one another, and glibc keeps what Ray's many threads have freed."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _in_creation(trial: Any) -> bool:
    return "creation task" in str(trial.get_error())


@contextmanager
def _ray(address: str | None, interrupt: DeferredInterrupt) -> Iterator[Path]:
    """A running Ray, and a folder for what Tune writes; both are gone afterwards, as are Ray's processes if ours."""
    family = Family()
    with scratch_folder() as folder:
        watch = None
        try:
            _start(folder, address)
            if address is None:
                family.adopt()
                interrupt.at_once = family.kill
            interrupt.install()  # Ray put a handler of its own in place
            watch = _watch("own" if address is None else "joined", family, interrupt)
            yield folder
        except Exception as error:
            if watch is None or isinstance(error, TalSearchError) or (sentence := watch.lost()) is None:
                raise
            raise TalSearchError(sentence) from error
        finally:
            if watch is not None and not watch.given_up:
                watch.close()  # else it goes on: what follows may hang
            ray.shutdown()
            family.kill()
            if watch is not None:
                watch.close()


def _start(folder: Path, address: str | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what it says is an event or in a trial's log
    try:
        if address is not None:
            _join(address, quiet)
            return
        ray.init(
            address="local",
            num_cpus=len(os.sched_getaffinity(0)),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(folder / "ray") if len(str(folder)) <= LONGEST_TEMPORARY else None,
            **quiet,
        )
    except SystemExit as error:  # Ray's own answer to SIGTERM
        raise Interrupted(signal.SIGTERM) from error


def _join(address: str, quiet: dict[str, Any]) -> None:
    where = f"ray.address is {address}, but"
    if address.startswith("ray://"):
        raise InputError(f"{where} trials are not driven through Ray's client; give HOST:PORT of the cluster itself")
    if ":" in address and not answers(address):
        raise InputError(f"{where} nothing answers there; start that cluster, or drop ray.address to use this machine")
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InputError(f"{where} it cannot be joined: {str(error).strip().splitlines()[0]}") from error


def _watch(kind: str, family: Family, interrupt: DeferredInterrupt) -> ServerWatch:
    here = ray.get_runtime_context().get_node_id()
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    (node,) = [node for node in nodes if node["NodeID"] == here]
    servers = {
        "raylet": f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}",
        "GCS": ray.get_runtime_context().gcs_address,
    }

    def on_lost(sentence: str, seconds: float) -> None:
        interrupt.fail(TalSearchError(sentence))
        if seconds > LEAVING_SECONDS:  # the main thread hangs in Ray
            sys.stderr.write(f"{sentence}\n")
            family.kill()
            os._exit(1)

    return ServerWatch(servers, patience=PATIENCE_SECONDS[kind], on_poll=family.refresh, on_lost=on_lost)
