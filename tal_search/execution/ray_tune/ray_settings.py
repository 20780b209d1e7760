"""Settings that Ray reads from the environment when it is imported: call `prepare` before `ray_backend` is."""

from __future__ import annotations

import os
import secrets

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

PENDING_TRIALS = 16  # that wait for a machine: with one at a time, Tune's own, an autoscaler starts one at a time

_prepared: list[bool] = []


def prepare(address: str | None = None) -> None:
    """Set what is not set yet. address: of the cluster to join; None = RAY_ADDRESS, or a Ray of our own without it.

    Only the first call of a process counts, as Ray is imported once.
    """
    if _prepared:
        return
    _prepared.append(True)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    address = address or os.environ.get("RAY_ADDRESS")
    if (address or "127.0.0.1").startswith("127."):  # this machine alone: listen on 127.0.0.1 only
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if address is None:  # a Ray of our own: only this process and its children hold the token
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Its monitor kills a worker before the kernel does, but leaves no trace by which the death is told from others.
        os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
    else:
        os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", str(PENDING_TRIALS))
