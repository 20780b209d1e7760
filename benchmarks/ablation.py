"""BackTAL's ablation on the simulated set at its default size, three seeds: python -m benchmarks.ablation [ROW ...]

Rows: baseline (click terms off), clicks, separation, affinity, full. About four minutes for all on two cores. Numbers
are about the simulated stand-in, never about BackTAL on video; `tests/benchmarks/test_ablation.py` checks that clicks
help.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tal_search.execution.driver import run_study
from tal_search.plan.plan import resolve
from tal_search.study import load_study

ORDINARY = "hyperparameters.affinity=false"
NO_SEPARATION, NO_AFFINITY_LOSS = "hyperparameters.lambda_sep=0", "hyperparameters.beta_aff=0"
ROWS = {
    "baseline": [ORDINARY, NO_SEPARATION, NO_AFFINITY_LOSS, "hyperparameters.frame_weight=0"],
    "clicks": [ORDINARY, NO_SEPARATION, NO_AFFINITY_LOSS],
    "separation": [ORDINARY, NO_AFFINITY_LOSS],
    "affinity": [NO_SEPARATION],
    "full": [],
}


def scores(row: str, runs: Path, seeds: Iterable[int] = (0, 1, 2)) -> list[float]:
    """mAP@0.5 in percent after the last epoch, by seed."""
    repeats = f"search.repeats.seeds=[{','.join(map(str, seeds))}]"
    settings = ["dataset.source=simulated", "protocol.evaluate_every=40", "resources.cpus_per_trial=1", repeats]
    names = [f"runs={runs}", f"study.fork={row}", "tracking.mlflow=false"]
    outcome = run_study(resolve(load_study("thumos_single", [*settings, *names, *ROWS[row]])))
    assert not outcome.failed, outcome.failed
    return [100 * result.at(0.5) for result in outcome.finished.values()]


def shown(row: str, values: list[float]) -> str:
    each = " ".join(f"{value:.1f}" for value in values)
    return f"{row:12} {statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}   seeds 0, 1, 2: {each}"


def main(*rows: str) -> None:
    print("mAP@0.5 in %, simulated THUMOS14 stand-in, default size")
    with tempfile.TemporaryDirectory() as runs:
        for row in rows or ROWS:
            print(shown(row, scores(row, Path(runs))))


if __name__ == "__main__":
    main(*sys.argv[1:])
