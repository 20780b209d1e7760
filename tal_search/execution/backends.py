"""The backend that a study names, and the checks before it starts."""

from __future__ import annotations

import importlib.util

from tal_search.errors import MissingExtra
from tal_search.execution.backend import Backend
from tal_search.execution.worker import Training, TrialFunction
from tal_search.study import Study

GIBIBYTE = 2**30


def require_backend(study: Study, *, train: bool) -> None:
    """Raise InputError, before anything is written, where an extra is missing or Ray cannot run the study's trials.

    train: whether trials are left to train.
    """
    if study.resources.backend == "ray" and importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "ray")
    if study.tracking.mlflow and importlib.util.find_spec("mlflow") is None:
        raise MissingExtra("mlflow", "tracking")
    if train and study.resources.backend == "ray":
        from tal_search.execution.ray_tune.ray_backend import require_ray

        require_ray(study.ray.address, study.resources.cpus_per_trial)


def backend_for(study: Study, trial: TrialFunction | None) -> Backend:
    """The backend that the study names. trial: runs in its workers; None = the training."""
    resources = study.resources
    memory = None if resources.memory_per_trial is None else int(resources.memory_per_trial * GIBIBYTE)
    trial = trial or Training(
        device=resources.device,
        checkpoint_every_seconds=resources.checkpoint_every_seconds,
        threads=max(1, int(resources.cpus_per_trial)),
        memory_bytes=memory,
        shared=study.runs.resolve() / "features",
    )
    if resources.backend == "inline":
        from tal_search.execution.inline_backend import InlineBackend

        return InlineBackend(
            runs=study.runs, trial=trial, retries=resources.retries, stall_minutes=resources.stall_minutes
        )
    from tal_search.execution.ray_tune.ray_backend import STEP_SECONDS, RayBackend

    return RayBackend(
        runs=study.runs,
        trial=trial,
        cpus_per_trial=resources.cpus_per_trial,
        gpus_per_trial=resources.gpus_per_trial,
        concurrent_trials=resources.concurrent_trials,
        memory_bytes=memory,
        retries=resources.retries,
        address=study.ray.address,
        # Nothing stops a planned trial early, and each message costs it about 20 ms.
        step_seconds=STEP_SECONDS if study.search.plan == "sampler" else 1.0,
        stall_minutes=resources.stall_minutes,
    )
