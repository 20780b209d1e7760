"""A study whose trials detect nothing says so, and why, wherever their mAP of 0 is shown."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tal_dashboards.data.reader import StudyReader
from tal_dashboards.views.parts.trial_panel import trial_info, trial_tables
from tal_dashboards.views.parts.trial_table import listed
from tal_search.cli.main import main
from tests.support.small_dashboards import SMALL

NAME = "thumos_single"
WHY = "the highest class score of a video is 0."
pytestmark = pytest.mark.slow
SETTINGS = [
    *SMALL, "search.axes={inference.class_threshold: [0.99]}", "search.repeats.seeds=[0]", "hyperparameters.epochs=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("silent") / "runs"


def test_the_terminal_and_the_files_say_why(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [*SETTINGS, "inference.class_threshold=0.98", f"runs={runs}"]
    assert main(["run", f"study={NAME}", *settings, "--tables"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"centre seed=0: no detections: {WHY}" in shown, "the line of the finished trial"
    assert "with hyperparameters.learning_rate=0.005 the loss went from" in shown
    note = f"2 of 2 finished trials without detections, whose mAP is therefore 0: {WHY}"
    assert note in shown
    folder = runs / NAME
    assert note in (folder / "sensitivity.md").read_text()
    with (folder / "sensitivity.csv").open() as file:
        assert all(note in row["remark"] for row in csv.DictReader(file))


def test_the_page_says_why(runs: Path) -> None:
    data = StudyReader(runs, NAME)()
    assert data.words.startswith(f"2 of 2 finished trials without detections, whose mAP is therefore 0: {WHY}")
    reasons = listed(data)["reason"].tolist()
    assert len(reasons) == 2
    for reason, threshold in zip(reasons, ("0.99", "0.98"), strict=True):
        assert reason.startswith(f"no detections: {WHY}")
        assert f"below inference.class_threshold={threshold}" in reason
    info = trial_info(data, data.trials["key"].iloc[0])
    assert info is not None
    results = trial_tables(info)["results"].set_index("of the trial")
    assert WHY in results.loc["reason"].iloc[0]
