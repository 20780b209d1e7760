"""A set that no code knows, in ActionFormer's layout with other classes: three commands from folder to score."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from tal_search.cli.main import main
from tal_search.localization.activations import Activations
from tests.support.own_dataset import make_own


@pytest.mark.slow
def test_three_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    make_own(tmp_path / "moves")
    assert main(["data", "init", "moves"]) == 0
    check, run = (
        shlex.split(line)[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("  tal-search")
    )
    assert main(check) == 0
    few = ["hyperparameters.epochs=2", "resources.cpus_per_trial=1"]
    assert main([*run, *few]) == 0
    assert "snippet i at (8·i + 16)/30 s" in capsys.readouterr().out


NATIVE = """
layout: actionformer
stride: 8
offset: 16
presets:
  basnet:
    generic:
      sampling: {training: {kind: native, most: 100}, test: {kind: native}}
      hyperparameters: {epochs: 4, hidden_channels: 8}
"""
SAMPLING = "Sampling: native, crops of 100 of longer videos in training, native at test."


@pytest.mark.slow
def test_its_file_has_it_trained_natively_on_ray_as_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_own(tmp_path / "moves")
    Path("moves.yaml").write_text(NATIVE)
    keys = ["study=thumos_single", "method=basnet", "dataset.name=moves", "dataset.file=moves.yaml"]
    keys += ["dataset.root=moves", "tracking.mlflow=false", "resources.cpus_per_trial=1"]
    scores = []
    for backend in ("inline", "ray"):
        assert main(["run", *keys, f"backend={backend}", f"runs={backend}"]) == 0
        assert SAMPLING in " ".join(capsys.readouterr().out.split())
        (path,) = Path(backend).glob("trials/*/scores.json")
        scores.append(json.loads(path.read_text()))
        kept = Activations.load(path.parent / "cas.npz")
        stored = [len(np.load(tmp_path / "moves" / f"{name}.npy")) for name in kept.videos]
        assert kept.timeline.length.tolist() == stored
        assert len(set(stored)) > 1
    assert scores[0] == scores[1]
    assert scores[0]["detections"] > 0
    assert any(SAMPLING in report.read_text() for report in Path("inline").glob("**/*.md"))
