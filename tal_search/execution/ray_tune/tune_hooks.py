"""Classes that Tune calls: the trainable of a worker process, and the driver's side, which forwards to `TuneAdapter`.

Importing this module imports Ray, which reads its environment variables at import: call `ray_settings.prepare` first.
"""
# ruff: noqa: ARG002 - Tune passes its hooks more than they need

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import ray
from ray import tune
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from tal_search.execution.ray_tune.tune_adapter import TuneAdapter
from tal_search.execution.worker import Advance, TrialFunction, Work, append_log
from tal_search.proposers.events import WAIT
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec

HELD_SECONDS = 0.05  # between messages of a held worker, see `TuneAdapter._held`
SAVING_SECONDS = 60.0  # for a stopped trial to save its checkpoint; a full disk or a stalled worker takes longer
ADVANCE = "advance"  # key of the message in the result of a step


class WorkerSettings(NamedTuple):
    """runs: the folder that holds `trials/`. step_seconds: how long a worker trains between two messages.

    driver: the process that started the workers, see `Work`.
    """

    runs: Path
    trial: TrialFunction
    step_seconds: float
    driver: str = ""


def make_tuner(
    adapter: TuneAdapter, worker: WorkerSettings, *, need: dict[str, float], retries: int, trials: int, storage: Path
) -> tune.Tuner:
    """A Tuner of at most `trials` trials. need: resources of one trial, by Ray's names; storage: for Tune's files."""
    trainable = tune.with_parameters(_Trainable, worker=worker)
    return tune.Tuner(
        tune.with_resources(trainable, {name.lower(): amount for name, amount in need.items()}),
        tune_config=tune.TuneConfig(
            search_alg=_Searcher(adapter),
            num_samples=trials,  # or until the searcher is finished
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=str(storage),
            verbose=0,
            stop=_Stop(adapter),
            callbacks=[_Events(worker.runs, retries, adapter)],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=retries),
        ),
    )


class _Trainable(tune.Trainable):
    """One worker process. A step runs whole epochs for `step_seconds`, so that short epochs share one message."""

    def setup(self, config: dict[str, str], **parameters: WorkerSettings) -> None:
        self._settings = parameters["worker"]
        self._started: bool
        self._over: bool
        self._work = self._open(config)

    def reset_config(self, new_config: dict[str, str]) -> bool:
        self._work.close()
        self._work = self._open(new_config)
        return True

    def step(self) -> dict[str, Advance]:
        advance = Advance()
        if self._over:
            time.sleep(HELD_SECONDS)
        elif self._started:  # the first step trains nothing, so Ctrl-C can stop a trial that waited for a worker
            advance = self._work.advance(self._settings.step_seconds)
        self._started = True
        self._over = self._over or advance.finished or advance.failed is not None
        return {ADVANCE: advance}

    def save_progress(self) -> None:
        self._work.close()

    def cleanup(self) -> None:
        self._work.close()

    def _open(self, config: dict[str, str]) -> Work:
        self._started = self._over = False
        spec, settings = TrialSpec.from_json(json.loads(config["spec"])), self._settings
        return Work(spec, settings.runs, settings.trial, settings.driver)


class _NotSaved:
    """Excluded from the pickle that Tune keeps for resuming; resuming is the record's task."""

    def __getstate__(self) -> dict[str, object]:
        return {}


class _Stop(_NotSaved, Stopper):
    """Forwards each message of a worker, and ends the trial if the driver asks for it."""

    def __init__(self, adapter: TuneAdapter) -> None:
        self._adapter = adapter

    def __call__(self, trial_id: str, result: dict[str, Advance]) -> bool:
        return self._adapter.advanced(trial_id, result[ADVANCE])

    def stop_all(self) -> bool:
        return False


class _Searcher(_NotSaved, Searcher):
    """Forwards Tune's requests for trials."""

    def __init__(self, adapter: TuneAdapter) -> None:
        super().__init__()
        self._adapter = adapter

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:  # type: ignore[override]
        spec = self._adapter.suggest(trial_id)
        if spec is WAIT:
            return None
        return str(Searcher.FINISHED) if spec is None else {"spec": json.dumps(spec.to_json())}

    def on_trial_complete(self, trial_id: str, result: object = None, error: bool = False) -> None:
        """Nothing: the driver tells the proposer."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the record is the state."""


class _Events(_NotSaved, Callback):
    """Forwards starts, deaths and ends of trials."""

    def __init__(self, runs: Path, retries: int, adapter: TuneAdapter) -> None:
        self._runs, self._retries, self._adapter = runs, retries, adapter

    def on_step_end(self, iteration: int, trials: list[Trial], **info: object) -> None:
        workers = ((trial.trial_id, trial.temporary_state.ray_actor) for trial in trials)
        actors = {name: actor for name, actor in workers if actor is not None}
        for name in self._adapter.stalled(actors.keys()):
            ray.kill(actors[name])  # a stopped process dies a few seconds later, of SIGKILL

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        self._adapter.started(trial.trial_id)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        times = f"({trial.num_failures} of {self._retries})"
        stalled = self._adapter.killed_for(trial.trial_id)
        reason = "could not start" if _in_creation(_last_error(trial)) else "died"
        reason = reason if stalled is None else f"was killed: {stalled}"
        text = f"its worker process {reason}; started again from its checkpoint {times}"
        self._adapter.recovers(trial.trial_id, text)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        if self._adapter.stopped(trial.trial_id):
            actor = trial.temporary_state.ray_actor
            # Save now, for handlers of `Pruned`: the worker itself would save only when it gets its next trial.
            with suppress(ray.exceptions.RayError):  # the worker died or stalled meanwhile
                if actor is not None:
                    ray.get(actor.save_progress.remote(), timeout=SAVING_SECONDS)
            self._adapter.pruned(trial.trial_id)
        self._adapter.forget(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        error = _last_error(trial)
        text = str(error).strip()
        folder = TrialFolder.of(self._runs, self._adapter.spec(trial.trial_id).key)
        append_log(folder, text)
        if _in_creation(error):  # the process lives, but cannot import the trial or open its folder
            reason = f"its worker process could not start: {text.splitlines()[-1]}"
        else:
            times = f" {self._retries + 1} times" if self._retries else ""
            stalled = self._adapter.killed_for(trial.trial_id)
            reason = f"its worker process died{times} (killed, or out of memory)"
            reason = reason if stalled is None else f"its worker process ended{times}, the last time killed: {stalled}"
            append_log(folder, reason)
        self._adapter.failed(trial.trial_id, reason)
        self._adapter.forget(trial.trial_id)


def _last_error(trial: Trial) -> object:
    """The error that Tune has just written to disk; `Trial.get_error` finds it only once the Tuner has ended."""
    path = trial.pickled_error_file
    try:
        return None if path is None else ray.cloudpickle.loads(Path(path).read_bytes())
    except Exception as error:  # of a class that cannot be unpickled: a hook that raises would end every trial
        return error


def _in_creation(error: object) -> bool:
    """Whether a worker process failed to set up its trial."""
    return isinstance(error, ray.exceptions.RayActorError) and error.actor_init_failed
