"""Environment variables for Ray and Tune: call `prepare` before `ray` is imported."""

from __future__ import annotations

import os
import secrets
import sys

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

PENDING_TRIALS = 16  # waiting for a machine; with Tune's default of one, an autoscaler adds one machine at a time


def prepare(address: str | None) -> None:
    """Set the variables that are not set yet. address: of the cluster to join; None = start a Ray on this machine."""
    settings = dict(SETTINGS)
    if (address or "127.0.0.1").startswith("127."):
        settings["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # this machine only: listen on 127.0.0.1 only
    if address is not None:
        settings["TUNE_MAX_PENDING_TRIALS_PG"] = str(PENDING_TRIALS)
    else:
        # Off: Ray's monitor kills a worker before the kernel would, and such a death looks like any other.
        settings["RAY_memory_monitor_refresh_ms"] = "0"
        if "ray" not in sys.modules:  # Ray reads the mode at import; if it is set later, the driver hangs
            # Only this process and its children hold the token.
            settings |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for name, value in settings.items():
        os.environ.setdefault(name, value)
