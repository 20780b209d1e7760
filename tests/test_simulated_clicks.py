"""What the simulated stand-in shows at its default size: background clicks help; the modules are only printed."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from small_trials import Listed

from tal_search.search.backend import Event, Failed, Finished
from tal_search.search.plan import resolve
from tal_search.search.ray_backend import RayBackend
from tal_search.search.worker import Training
from tal_search.study import load_study
from tal_search.types import TrialSpec

ORDINARY = "hyperparameters.affinity=false"
NO_SEPARATION, NO_AFFINITY_LOSS = "hyperparameters.lambda_sep=0", "hyperparameters.beta_aff=0"
# The baseline is BackTAL with its click terms off.
ROWS = {
    "baseline, no click": [ORDINARY, NO_SEPARATION, NO_AFFINITY_LOSS, "hyperparameters.frame_weight=0"],
    "+ background click": [ORDINARY, NO_SEPARATION, NO_AFFINITY_LOSS],
    "+ L_sep": [ORDINARY, NO_AFFINITY_LOSS],
    "+ affinity": [NO_SEPARATION],
    "full": [],
}


def specs_of(row: str) -> tuple[TrialSpec, ...]:
    once = "protocol.evaluate_every=40"  # the last epoch alone
    settings = ["dataset.source=simulated", "search.repeats.seeds=[0,1,2]", once, *ROWS[row]]
    return resolve(load_study("thumos_single", settings)).fits


@pytest.mark.slow
def test_background_clicks_help_by_more_than_both_spreads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row: specs_of(row) for row in ROWS}
    found: dict[str, float] = {}

    def handle(event: Event) -> None:
        assert not isinstance(event, Failed), event.reason
        if isinstance(event, Finished):
            found[event.spec.key] = 100 * event.result.at(0.5)

    trial = Training(device="cpu", checkpoint_every_seconds=1e9, threads=1)
    RayBackend(runs=tmp_path, trial=trial).run(Listed([spec for specs in rows.values() for spec in specs]), handle)

    table = Table(
        "row", "mAP@0.5 of seeds 0, 1, 2", "mean ± standard deviation", title="simulated THUMOS14, default size"
    )
    means, spreads = {}, {}
    for row, specs in rows.items():
        values = [found[spec.key] for spec in specs]
        means[row], spreads[row] = statistics.mean(values), statistics.stdev(values)
        table.add_row(row, " ".join(f"{v:.1f}" for v in values), f"{means[row]:.1f} ± {spreads[row]:.1f}")
    with capsys.disabled():
        Console(width=100).print("", table)

    clicks, none = "+ background click", "baseline, no click"
    assert means[clicks] - means[none] > spreads[clicks] + spreads[none]
