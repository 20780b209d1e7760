"""Our trainer and the released code on real THUMOS14 videos with 48-channel evidence features (instead of I3D).

    python -m benchmarks.release_parity FOLDER [--epochs 60] [--runs runs]

FOLDER is `thumos14_evidence`. Uses the variant "release" with widths 24/12/12/8, learning rate 2e-3 and three seeds,
with background clicks (all losses) and without clicks. The mAP@.5 of the released code with the same settings is
printed next to ours; only the spread over seeds can be compared, not single seeds.
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from tal_search.execution.driver import run_study
from tal_search.plan.plan import resolve
from tal_search.study import load_study

RELEASED = {"background clicks, all losses": (0.231, 0.247, 0.114), "no click": (0.309, 0.313, 0.296)}
CELLS = {
    "background clicks, all losses": [],
    "no click": [f"hyperparameters.{name}=0" for name in ("frame_weight", "lambda_sep", "beta_aff")],
}
SETTINGS = [
    "hyperparameters.variant=release",
    "hyperparameters.hidden_channels=24",
    "hyperparameters.embedding_hidden=12",
    "hyperparameters.filter_hidden=12",
    "hyperparameters.embedding_dim=8",
    "hyperparameters.learning_rate=2e-3",
    "search.repeats.seeds=[0,1,2]",
    "resources.cpus_per_trial=1",
    "tracking.mlflow=false",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--runs", default="runs")
    args = parser.parse_args()
    print(machine())
    table = Table(title=f"mAP@.5 on {args.folder}: 210 test videos, {args.epochs} epochs, seeds 0, 1, 2")
    for head in ("cell", "ours", "released code"):
        table.add_column(head)
    for cell, overrides in CELLS.items():
        location = [f"dataset.root={args.folder}", "dataset.source=features", f"runs={args.runs}"]
        study = load_study("thumos_single", [*location, *SETTINGS, f"hyperparameters.epochs={args.epochs}", *overrides])
        plan = resolve(study)
        outcome = run_study(plan)
        ours = [outcome.finished[trial.id].at(0.5) for trial in plan.trials]
        table.add_row(cell, " ".join(f"{v:.3f}" for v in ours), " ".join(f"{v:.3f}" for v in RELEASED[cell]))
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
