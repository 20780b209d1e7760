"""Small finished studies, made once per test session, and a server of their dashboards."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from tal_dashboards.app.grid import Grid
from tal_dashboards.app.server import bound_server
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.web.public import Public
from tal_search.execution.driver import run_study
from tal_search.execution.running import Outcome
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.plan_frame import study_frame
from tal_search.results.trials import StudyFrame
from tal_search.study import load_study
from tal_search.trial.folder import TrialFolder

SMALL = [
    "resources.backend=inline", "resources.device=cpu", "resources.cpus_per_trial=1", "tracking.mlflow=false",
    "dataset.source=simulated", "dataset.snippets=60", "dataset.simulation.train_videos=40",
    "dataset.simulation.test_videos=20", "dataset.simulation.channels=12", "hyperparameters.epochs=4",
    "hyperparameters.learning_rate=0.005", "hyperparameters.schedule=constant", "hyperparameters.feature_scale=1",
    "hyperparameters.batch_size=8", "inference.class_threshold=0.04",
    "protocol.evaluate_every=2", "search.repeats.seeds=[0,1,2]",
]  # fmt: skip
AXES = "search.axes={lambda_sep: [0.25], kernel_size: [1], inference.nms: [0.3]}"
CASES = ["~search.cases.baseline", "~search.cases.+ affinity", "~search.cases.+ affinity without L_aff"]

# SMALL's class threshold differs from the preset's, so the study's inference settings differ from its fits'.
GRID = [
    "search.plan=grid", "search.axes={lambda_sep: [0.5, 1.0, 8.0], inference.nms: [0.3, 0.55]}",
    "dataset.simulation.train_videos=60", "dataset.simulation.channels=16", "hyperparameters.epochs=8",
    "hyperparameters.learning_rate=0.01", "hyperparameters.feature_scale=8",
    "protocol.selection=holdout", "protocol.holdout_fraction=0.5",
    "protocol.evaluate_every=4",
]  # fmt: skip


class Made(NamedTuple):
    """A finished study with its plan and outcome."""

    runs: Path
    plan: Plan
    outcome: Outcome

    @property
    def name(self) -> str:
        return self.plan.study.name

    @property
    def frame(self) -> StudyFrame:
        """The study's results at the end of the run."""
        return study_frame(self.plan, self.outcome.trials.values(), self.outcome.finished)

    def read(self) -> StudyData:
        return StudyReader(self.runs, self.name)()


def make_study(runs: Path, study: str, *overrides: str) -> Made:
    """Run one of the repository's studies with small data in this process."""
    plan = resolve(load_study(study, [f"runs={runs}", *SMALL, *overrides]))
    outcome = run_study(plan)
    assert not outcome.failed, outcome.failed
    return Made(runs, plan, outcome)


@contextmanager
def served(
    runs: Path, study: str | None = None, token: str | None = None, public: Public | None = None
) -> Iterator[str]:
    """The address of a server of a runs folder's dashboards, which stops at the end of the block."""
    server = bound_server(runs, study, port=0, token=token, public=public)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def drawn_rows(grid: Grid) -> list[list[str]]:
    """Text of the cells by row; a cell that spans several rows is repeated in each of them."""
    rows: list[list[str]] = []
    for row in grid.draw(grid.frame):
        cells = [cell if isinstance(cell, str) else cell["text"] for cell in row.cells]
        above = len(grid.heads) - len(cells)
        rows.append((rows[-1][:above] if above else []) + cells)
    return rows


def scored_epochs(made: Made, key: str) -> pd.Series[float]:
    """Held-out mAP at tIoU 0.5 by epoch, in percent, from the file of a fit."""
    epochs = pd.read_parquet(TrialFolder.of(made.runs, key).epochs).set_index("epoch")
    return 100 * epochs["holdout/mAP/0.5"].dropna()


def chromium() -> str:
    return required_program("chromium", "TAL_REQUIRE_CHROMIUM")


def required_program(name: str, variable: str) -> str:
    """The path of a program; its tests are skipped if it is not installed, unless the variable requires it."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get(variable) == "1":
            pytest.fail(f"{name} is required ({variable}=1) and is not there")
        pytest.skip(f"needs the program {name}")
    return path
