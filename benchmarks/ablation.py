"""Ablation of BackTAL on the simulated data set at its default size, three seeds.

    python -m benchmarks.ablation [ROW ...]

Rows: baseline (no click losses), clicks, separation, affinity, full. All take about four minutes on two cores. The
numbers describe the simulated data only, not BackTAL on video; `tests/benchmarks/test_ablation.py` checks on a smaller
set that clicks help.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine
from tal_search.execution.driver import run_study
from tal_search.plan.plan import resolve
from tal_search.study import load_study

SETTINGS = [
    "dataset.source=simulated", "protocol.evaluate_every=40", "resources.cpus_per_trial=1",
    "search.repeats.seeds=[0,1,2]",
]  # fmt: skip
ORDINARY = "hyperparameters.affinity=false"
NO_SEPARATION, NO_AFFINITY_LOSS = "hyperparameters.lambda_sep=0", "hyperparameters.beta_aff=0"
ROWS = {
    "baseline": [ORDINARY, NO_SEPARATION, NO_AFFINITY_LOSS, "hyperparameters.frame_weight=0"],
    "clicks": [ORDINARY, NO_SEPARATION, NO_AFFINITY_LOSS],
    "separation": [ORDINARY, NO_AFFINITY_LOSS],
    "affinity": [NO_SEPARATION],
    "full": [],
}


def scores(row: str, runs: Path, *overrides: str) -> list[float]:
    """mAP@0.5 in percent after the last epoch, one for each seed; overrides: of the study."""
    names = [f"runs={runs}", f"study.fork={row}", "tracking.mlflow=false"]
    outcome = run_study(resolve(load_study("thumos_single", [*SETTINGS, *names, *ROWS[row], *overrides])))
    assert not outcome.failed, outcome.failed
    return [100 * result.at(0.5) for result in outcome.finished.values()]


def shown(row: str, values: list[float]) -> str:
    """A row of the table: mean, standard deviation, and each seed."""
    each = " ".join(f"{value:.1f}" for value in values)
    return f"{row:12} {statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}   seeds 0, 1, 2: {each}"


def main(*rows: str) -> None:
    print(machine())
    print("mAP@0.5 in %, simulated THUMOS14 stand-in, default size")
    with tempfile.TemporaryDirectory() as runs:
        for row in rows or ROWS:
            print(shown(row, scores(row, Path(runs))))


if __name__ == "__main__":
    main(*sys.argv[1:])
