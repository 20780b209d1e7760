"""Instances labelled Ambiguous inside a ground truth: never a class, and the same to THUMOS14's protocol everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tal_dashboards.data.inference_settings import own_inference, rescored
from tal_dashboards.views import errors
from tal_search.cli.main import main
from tal_search.data.ambiguous import AMBIGUOUS, read_ambiguous
from tal_search.data.load import check, load
from tal_search.data.splits import restrict
from tal_search.metrics.average_precision import parse_tiou, score
from tal_search.metrics.comparison import compare
from tal_search.metrics.error_profile import error_profile
from tal_search.trial.evaluate import open_benchmark
from tal_search.types import BACKGROUND_CLICKS, INSTANCES
from tests.support.make_dataset import CLASSES, edit_json, found
from tests.support.paths import FIXTURES
from tests.support.small_dashboards import make_study

NINE = parse_tiou("0.1:0.9:0.1")
LIST = FIXTURES / "thumos14/ambiguous_test.txt"
DETECTIONS = FIXTURES / "stpn/detections.json"
SAYS = "labelled Ambiguous, which is no class; protocol thumos14 ignores false detections that touch one, activitynet "


def labelled(folder: Path) -> Path:
    """STPN's ground truth with the instances of the ambiguous list under that label, before the others."""
    content, listed = json.loads((FIXTURES / "stpn/ground_truth.json").read_text()), read_ambiguous(LIST)
    for video, segment in zip(listed.video, listed.segment.tolist(), strict=True):
        entry = content["database"].get(listed.videos[video], {"annotations": []})
        entry["annotations"].insert(0, {"segment": segment, "label": AMBIGUOUS})
    path = folder / "labelled.json"
    path.write_text(json.dumps(content))
    return path


def test_labels_in_the_ground_truth_are_as_good_as_a_list(tmp_path: Path) -> None:
    rules: dict[str, Any] = {"protocol": "thumos14", "ambiguous": LIST}
    listed, (found,) = open_benchmark(FIXTURES / "stpn/ground_truth.json", "test", [DETECTIONS], **rules)
    expected = score(listed.truth, found, NINE, subset="test", **listed.rules)
    half = replace(found, **{name: getattr(found, name)[::2] for name in ("video", "label", "segment", "score")})
    for more in ({}, {"ambiguous": LIST}, {"videos": 210}, {"drop_duplicates": True}):
        given = open_benchmark(labelled(tmp_path), "test", [DETECTIONS], protocol="thumos14", **more)
        benchmark, (same,) = given
        assert benchmark.truth.classes == listed.truth.classes
        scores = score(benchmark.truth, same, NINE, subset="test", **benchmark.rules)
        if "drop_duplicates" not in more:
            assert scores == expected
        assert scores.ambiguous == 87
    comparisons = [compare(one.truth, found, half, (0.5,), **one.rules) for one in (listed, benchmark)]
    assert comparisons[0] == comparisons[1]
    profiles = [error_profile(one.truth, found, subset="test", **one.rules) for one in (listed, benchmark)]
    assert profiles[0] == profiles[1]
    assert sum(profiles[0].counts.values()) < 9151  # those ignored are no error


def test_activitynet_leaves_them_out(tmp_path: Path) -> None:
    without, (found,) = open_benchmark(FIXTURES / "stpn/ground_truth.json", "test", [DETECTIONS])
    benchmark, _ = open_benchmark(labelled(tmp_path), "test")
    first, second = (score(one.truth, found, NINE, subset="test", **one.rules) for one in (without, benchmark))
    assert first == second
    assert second.ambiguous == 0


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


@pytest.fixture
def with_ambiguous(root: Path) -> Path:
    """The small dataset with an ambiguous instance in each video, at 14 to 18 s, listed among the activities."""

    def edit(content: dict[str, Any]) -> None:
        content["activity_list"].insert(1, AMBIGUOUS)
        for video in content["database"].values():
            video["annotations"].insert(1, {"segment": [14, 18], "label": AMBIGUOUS})

    edit_json(root / "gt_thumos14.json", edit)
    return root


def test_no_class_of_that_name_is_trained(with_ambiguous: Path) -> None:
    spec = found(with_ambiguous)
    notes = check(spec, ("A1",), (BACKGROUND_CLICKS,))
    assert notes == [f"{with_ambiguous / 'gt_thumos14.json'}: 7 instances are {SAYS}leaves such instances out"]
    dataset = load(spec, "A1", (INSTANCES,))
    assert dataset.classes == CLASSES
    assert dataset.train.labels.shape == (4, len(CLASSES))
    assert (dataset.train.segment_labels >= 0).sum() == 8  # two instances a video, as before
    truth = dataset.train_truth
    assert truth.ambiguous is not None
    few = restrict(truth, truth.videos[2:])
    assert few.ambiguous is not None
    assert few.ambiguous.segment.tolist() == [[14, 18]] * 2
    assert few.ambiguous.videos == few.videos


def test_a_study_and_its_dashboards_score_by_the_same_rule(with_ambiguous: Path, tmp_path: Path) -> None:
    made = make_study(
        tmp_path / "runs", "thumos_single", "dataset.source=features", f"dataset.root={with_ambiguous}",
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
    truth = with_ambiguous / "gt_thumos14.json"
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
