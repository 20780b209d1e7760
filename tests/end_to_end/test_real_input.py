"""The command on real THUMOS14 videos and clicks (with surrogate features), never on simulated ones."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tal_dashboards.data.reader import StudyReader
from tal_search.cli.main import main
from tal_search.trial.folder import TrialFolder


def test_a_single_trial_on_real_videos_ends_with_its_table(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [
        "dataset.source=features",
        f"dataset.root={shared / 'data' / 'thumos14_evidence'}",
        "search.repeats.annotators=auto",
        "hyperparameters.hidden_channels=8",
        "hyperparameters.epochs=1",
        "hyperparameters.learning_rate=2e-2",
        "inference.class_threshold=0.045",
        "backend=inline",
        "tracking.mlflow=false",
        f"runs={tmp_path}",
    ]
    assert main(["run", "study=thumos_single", *settings]) == 0
    out = capsys.readouterr().out
    expected = (
        "Data: thumos14_evidence: surrogate features (48 channels, not the 2048 of I3D), 200 training and 210 test"
    )
    assert out.startswith(expected)
    scored = "activitynet protocol, 210 videos (THUMOS14 test without 270, 1292, 1496)"
    assert f"Scores: {scored}\n" in out
    assert f"Scores: {scored}." in (tmp_path / "thumos_single" / "sensitivity.md").read_text()
    assert StudyReader(tmp_path, "thumos_single")().words.endswith(f"Scores: {scored}.")
    table = pd.read_csv(tmp_path / "thumos_single" / "sensitivity.csv")
    assert table["n"].tolist() == [3]
    assert set(table["source"]) == {"features"}
    folders = [TrialFolder(path.parent) for path in sorted(tmp_path.glob("trials/*/result.json"))]
    specs = [json.loads((folder.path / "spec.json").read_text()) for folder in folders]
    assert sorted(spec["annotator"] for spec in specs) == ["A1", "A2", "A3"]
    for folder in folders:
        scores = json.loads(folder.scores.read_text())
        assert (scores["videos"], scores["instances"]) == (210, 3311)
        (studied,) = folder.settings().values()  # the fit itself is scored at the preset's class threshold
        assert studied["inference"]["class_threshold"] == 0.045
        assert studied["detections"] > 0
        assert {"loss/frame", "loss/sep", "loss/aff"} <= set(pd.read_parquet(folder.epochs).columns)
    losses = {folder.epoch_reports()[0].losses["frame"] for folder in folders}
    assert len(losses) == 3, "each annotator's clicks are another training signal"
