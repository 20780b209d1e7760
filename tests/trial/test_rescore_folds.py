"""Rescoring a study with folds pools the detections of all folds at another setting; a missing fold gives no score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tal_dashboards.data.reader import StudyReader
from tal_search.cli.main import main
from tal_search.data.load import load_truths
from tal_search.execution.driver import run_study
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tal_search.metrics.matching import positions
from tal_search.trial.folder import TrialFolder
from tests.support.folded_study import folded_plan

SHORT = "hyperparameters.epochs=4"


def test_another_setting_is_scored_from_all_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = folded_plan(tmp_path, SHORT, axes={"lambda_sep": [1.0]})
    run_study(plan)
    monkeypatch.chdir(tmp_path)
    assert main(["rescore", "study=folded", "inference.nms=[0.2]", SHORT]) == 0
    data = StudyReader(tmp_path / "runs", "folded")()
    (row,) = data.trials[data.trials["inference.nms"] == 0.2].to_dict("records")
    truth = load_truths(replace(plan.dataset, fold=None))[0]
    inference = Inference(**{**plan.inference, "nms": 0.2})  # type: ignore[arg-type]
    parts = [
        localize(Activations.load(TrialFolder.of(tmp_path / "runs", spec.key).cas), truth.classes, inference)
        for spec in plan.fits
    ]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("label", "segment", "score")
    }  # fmt: skip
    video = np.concatenate([positions(part.videos, truth.videos)[part.video] for part in parts])
    whole = replace(parts[0], videos=truth.videos, video=video, **joined)
    expected = score(truth, whole, data.tiou, protocol=plan.protocol["evaluation"], subset="whole")
    assert expected.detections == row["detections"] > 0
    assert [row[f"mAP@{tiou:g}"] for tiou in data.tiou] == pytest.approx([100 * mAP for mAP in expected.mAP])
    capsys.readouterr()
    gone = TrialFolder.of(tmp_path / "runs", plan.fits[1].key)
    (gone.path / "result.json").unlink()
    assert main(["rescore", "study=folded", "inference.nms=[0.1]", SHORT]) == 0
    assert "Left out, because not trained yet: 1 fit" in capsys.readouterr().out
    data = StudyReader(tmp_path / "runs", "folded")()
    (row,) = data.trials[data.trials["inference.nms"] == 0.1].to_dict("records")
    assert row["state"] == "1 of 3 folds missing"
    assert np.isnan(row["mAP@0.5"])
