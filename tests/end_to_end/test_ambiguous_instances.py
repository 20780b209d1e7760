"""Instances labelled Ambiguous: the command, a study and its dashboards score them by one rule."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tal_dashboards.data.inference_settings import own_inference, rescored
from tal_dashboards.views import errors
from tal_search.cli.main import main
from tal_search.metrics.average_precision import score
from tal_search.trial.evaluate import open_benchmark
from tests.support.ambiguous_truths import DETECTIONS, SAYS, add_ambiguous, labelled
from tests.support.make_dataset import CLASSES
from tests.support.small_dashboards import make_study


def test_the_command_says_so_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, scores = labelled(tmp_path), tmp_path / "scores.json"
    files = f"detections={DETECTIONS}", f"ground_truth={truth}", "subset=test", "protocol=thumos14", f"out={scores}"
    assert main(["evaluate", *files, f"compare={DETECTIONS}", f"errors={tmp_path / 'errors.json'}"]) == 0
    assert f"{truth}: 87 instances are {SAYS}leaves such instances out\n" in capsys.readouterr().out
    content = json.loads(scores.read_text())
    assert content["ambiguous"] == 87
    assert [round(100 * value, 2) for value in content["mAP"]][4] == 17.51
    assert [row["mAP"] for row in content["comparison"]["rows"]][:-1] == content["mAP"]
    assert json.loads((tmp_path / "errors.json").read_text())["mAP"] == pytest.approx(content["mAP"][4])


def test_a_study_and_its_dashboards_score_by_the_same_rule(root: Path, tmp_path: Path) -> None:
    add_ambiguous(root)
    made = make_study(
        tmp_path / "runs", "thumos_single", "dataset.source=features", f"dataset.root={root}",
        "dataset.snippets=40", "protocol.evaluation=thumos14", "search.repeats.seeds=[0]", "inference.nms=0.6",
        "search.repeats.annotators=[A1]",
    )  # fmt: skip
    data = made.read()
    (key,) = data.done["key"]
    folder = data.folder(key)
    kept = json.loads(folder.scores.read_text())
    assert tuple(kept["per_class"]) == CLASSES
    assert kept["ambiguous"] == 3
    rules: dict[str, Any] = {"protocol": "thumos14"}
    truth = root / "gt_thumos14.json"
    benchmark, (ours,) = open_benchmark(truth, "test", [folder.detections], **rules)
    own = score(benchmark.truth, ours, tuple(kept["tiou"]), subset="test", **benchmark.rules)
    assert own.to_json() == kept
    unaware = score(replace(benchmark.truth, ambiguous=None), ours, own.tiou, subset="test", **rules)
    assert unaware.mAP != own.mAP  # some false detection touches an ambiguous instance
    (studied,) = folder.settings().values()
    (again,) = rescored(data, key, [own_inference(data, key)])
    assert again.test == tuple(100 * value for value in studied["mAP"])
    profile = errors.info(data, {"trial": key})
    assert profile is not None
    assert profile.profile.mAP == pytest.approx(studied["mAP"][own.tiou.index(0.5)])
