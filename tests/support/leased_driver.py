"""A driver with a short lease on PostgreSQL, which stops itself (SIGSTOP) once it has acknowledged two trials.

python -m tests.support.leased_driver LEASE_SECONDS RUNS URL
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tal_search.errors import TalSearchError
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan, resolve
from tal_search.proposers.events import Event, Finished
from tal_search.record import lease
from tal_search.study import load_study
from tests.support.chaos_driver import counting
from tests.support.paths import STUDIES

TRIALS = 6


def plan_on(url: str, runs: Path, *overrides: str) -> Plan:
    """A sampler's study of counting trials, with its record at this URL."""
    mine = [
        f"record={url}", f"runs={runs}", "dataset.source=simulated", "tracking.mlflow=false", "backend=inline",
        f"budget.trials={TRIALS}", "hyperparameters.epochs=4", "search.pruner=none",
    ]  # fmt: skip
    return resolve(load_study("thumos_search", [*mine, *overrides], STUDIES))


def main(seconds: str, runs: str, url: str) -> int:
    lease.LEASE_SECONDS = float(seconds)
    finished: list[str] = []

    def stop(event: Event) -> None:
        if isinstance(event, Finished):
            finished.append(event.spec.key)
            if len(finished) == 2:
                os.kill(os.getpid(), signal.SIGSTOP)

    try:
        run_study(plan_on(url, Path(runs)), trial=counting, on_event=stop)
    except TalSearchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
