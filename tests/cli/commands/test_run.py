"""The run command's preview."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main


def test_preview_counts_the_whole_grid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["search.repeats.seeds=[0,1]", "search.axes.inference.nms=[0.3,0.7]", f"runs={tmp_path}"]
    assert main(["run", "study=thumos_grid", *settings, "dataset.source=simulated", "--preview"]) == 0
    data, preset, counts = capsys.readouterr().out.splitlines()
    assert data.startswith("Data: simulated")
    assert preset.startswith("Preset: simulated")
    assert counts == (
        "thumos_grid: 31 cells × 2 repeats = 62 trials in 58 fits; 0 trials cached, 0 to score from kept activations, "
        "58 fits to train; estimated time: unknown until a first trial is recorded"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_sampler_is_previewed_without_its_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["dataset.source=simulated", "search.repeats.seeds=[0]", "budget.trials=8", f"runs={tmp_path}"]
    assert main(["run", "study=thumos_search", *settings, "--preview"]) == 0
    _, _, sentence = capsys.readouterr().out.splitlines()
    assert sentence.startswith("thumos_search: tpe proposes cells of 1 trials (seeds x annotators) over lambda_sep, ")
    assert "; budget: 8 trials in all" in sentence
    assert list(tmp_path.iterdir()) == []
