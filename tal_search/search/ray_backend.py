"""Trials in worker processes, scheduled by Ray Tune. The only file that knows Ray (and so a little long).

Tune places trials on CPUs and GPUs, reuses worker processes and restarts a killed one; its saved experiment state, its
checkpoints and its loggers are not used: a trial's folder is its checkpoint and the record is the truth.
"""
# ruff: noqa: ARG002 - Tune calls its hooks with more than they need

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from tal_search.errors import InputError, MissingExtra
from tal_search.search.backend import Event, Failed, Finished, Handler, Proposer, Reported, Started
from tal_search.search.interrupts import DeferredInterrupt
from tal_search.search.scratch import scratch_folder
from tal_search.search.worker import Advance, TrialFunction, Work, append_log
from tal_search.trial_folder import TrialFolder
from tal_search.types import EpochReport, TrialResult, TrialSpec

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial without a GPU share sees no GPU
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # DeferredInterrupt handles it
    "TUNE_GLOBAL_CHECKPOINT_S": "100000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
for _name, _value in SETTINGS.items():  # Ray reads some of them when it is imported
    os.environ.setdefault(_name, _value)
if os.environ.get("RAY_ADDRESS", "127.0.0.1").startswith("127."):  # this machine alone: listen on 127.0.0.1 only
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
if "RAY_ADDRESS" not in os.environ:  # a Ray of our own: only this process and its children hold the token
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

try:
    import ray
    from ray import tune
    from ray.tune import Callback, Stopper
    from ray.tune.search import Searcher
except ImportError as _error:
    raise MissingExtra("ray", "ray") from _error

OBJECT_STORE_BYTES = 100 * 2**20  # specs and reports are small; arrays never travel through Ray
WORKER_DEATHS = 3  # of one trial, before it is given up
STEP_SECONDS = 0.25
LONGEST_TEMPORARY = 45  # characters; Ray's sockets lie deep below it, and a socket's path has at most 107


T = TypeVar("T")


class RayBackend:
    """cpus_per_trial, gpus_per_trial: may be fractions; concurrent_trials: None = as many as fit.

    With the environment variable RAY_ADDRESS the trials run on that cluster, whose machines must share `runs`;
    otherwise on this machine, with a Ray of their own that ends with the study.
    """

    def __init__(
        self,
        *,
        runs: Path,
        trial: TrialFunction,
        cpus_per_trial: float = 1.0,
        gpus_per_trial: float = 0.0,
        concurrent_trials: int | None = None,
    ) -> None:
        self._runs, self._trial = runs.resolve(), trial
        self._cpus, self._gpus, self._limit = cpus_per_trial, gpus_per_trial, concurrent_trials

    def run(self, proposer: Proposer, handle: Handler) -> None:
        """See `Backend.run`. Raises InputError where no machine is large enough for one trial."""
        with DeferredInterrupt() as interrupt, _ray() as storage:
            self._check_resources()
            stop = _Stop(interrupt)
            searcher = _Searcher(proposer, self._limit, stop)
            self._tuner(storage, searcher, _Events(self._runs, handle, stop), stop).fit()
            if stop.error is not None:
                raise stop.error
            if interrupt.requested:
                raise KeyboardInterrupt

    def _check_resources(self) -> None:
        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        for kind, key, need in (("CPU", "cpus", self._cpus), ("GPU", "gpus", self._gpus)):
            if need > have.get(kind, 0):
                number = f"{have.get(kind, 0):g}"
                raise InputError(f"resources.{key}_per_trial is {need:g}, but there is only {number} {kind}; lower it")

    def _tuner(self, storage: Path, searcher: Searcher, events: Callback, stop: Stopper) -> tune.Tuner:
        trainable = tune.with_parameters(_Trainable, runs=self._runs, trial=self._trial)
        return tune.Tuner(
            tune.with_resources(trainable, {"cpu": self._cpus, "gpu": self._gpus}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,  # until the searcher says that it is finished
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(storage),
                verbose=0,
                stop=stop,
                callbacks=[events],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=WORKER_DEATHS),
            ),
        )


class _Trainable(tune.Trainable):
    """One worker process; a step runs whole epochs for a moment, so that fast epochs do not wait on messages."""

    def setup(self, config: dict[str, Any], **parameters: Any) -> None:
        self._runs: Path = parameters["runs"]
        self._function: TrialFunction = parameters["trial"]
        self._started = False
        self._work = self._open(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._work.close()
        self._work = self._open(new_config)
        return True

    def step(self) -> dict[str, Any]:
        # The first step trains nothing: a trial that waited for a worker when Ctrl-C came is stopped after it.
        advance = self._work.advance(STEP_SECONDS) if self._started else Advance()
        self._started = True
        return {
            "reports": [asdict(report) for report in advance.reports],
            "result": None if advance.result is None else advance.result.to_json(),
            "failed": advance.failed,
            "done": advance.result is not None or advance.failed is not None,
        }

    def cleanup(self) -> None:
        self._work.close()

    def _open(self, config: dict[str, Any]) -> Work:
        self._started = False
        return Work(_spec(config), self._runs, self._function)


class _NotSaved:
    """Tune pickles what it is given, to restore an experiment one day; here the record does that."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Stop(_NotSaved, Stopper):
    """Ends each trial at its next report after Ctrl-C or an error of the driver; remembers that error."""

    def __init__(self, interrupt: DeferredInterrupt) -> None:
        self.interrupt = interrupt
        self.error: Exception | None = None

    @property
    def wanted(self) -> bool:
        return self.interrupt.requested or self.error is not None

    def attempt(self, action: Callable[[], T]) -> T | None:
        """Call the driver; Tune would take its error for one of the trial."""
        try:
            return action() if self.error is None else None
        except Exception as error:
            self.error = error
            return None

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self.wanted

    def stop_all(self) -> bool:
        return False


class _Searcher(_NotSaved, Searcher):
    """Tune's view of a Proposer."""

    def __init__(self, proposer: Proposer, limit: int | None, stop: _Stop) -> None:
        super().__init__()
        self._proposer, self._limit, self._stop = proposer, limit, stop
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        if not self._stop.wanted and self._limit is not None and len(self._live) >= self._limit:
            return None
        spec = None if self._stop.wanted else self._stop.attempt(self._proposer.ask)
        if spec is None:
            return str(Searcher.FINISHED)
        self._live.add(trial_id)
        return {"spec": json.dumps(spec.to_json())}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the record is the state."""


class _Events(_NotSaved, Callback):
    """Tune's callbacks as the driver's events."""

    def __init__(self, runs: Path, handle: Handler, stop: _Stop) -> None:
        self._runs, self._handle, self._stop = runs, handle, stop

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._send(Started(_spec(trial.config)))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        spec = _spec(trial.config)
        for report in result["reports"]:
            self._send(Reported(spec, EpochReport(**report)))
        if result["result"] is not None:
            self._send(Finished(spec, TrialResult.from_json(result["result"])))
        if result["failed"] is not None:
            self._send(Failed(spec, result["failed"]))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        text = str(trial.get_error())
        append_log(TrialFolder.of(self._runs, _spec(trial.config).key), text)
        if "creation task" in text:  # the process lives, but cannot import the trial or open its folder
            reason = f"its worker process could not start: {text.strip().splitlines()[-1]}"
        else:
            reason = f"its worker process died {WORKER_DEATHS + 1} times (killed, or out of memory)"
        self._send(Failed(_spec(trial.config), reason))

    def _send(self, event: Event) -> None:
        self._stop.attempt(lambda: self._handle(event))


def _spec(config: dict[str, Any]) -> TrialSpec:
    return TrialSpec.from_json(json.loads(config["spec"]))


@contextmanager
def _ray() -> Iterator[Path]:
    """A running Ray, and a folder for what Tune writes; both are gone afterwards."""
    with scratch_folder() as folder:
        try:
            _start(folder)
            logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what it says is an event or in a trial's log
            yield folder
        finally:
            ray.shutdown()


def _start(folder: Path) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    ray.init(
        address="local",
        num_cpus=len(os.sched_getaffinity(0)),
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=str(folder / "ray") if len(str(folder)) <= LONGEST_TEMPORARY else None,
        **quiet,
    )
