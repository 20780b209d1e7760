"""GTEA: the prepared features against their sources, and a class threshold for videos of many classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gtea_evidence import prepare
from tal_search.data.catalog import definition
from tal_search.data.load import check, load
from tal_search.localization.inference import Inference
from tal_search.study import find_dataset, load_study
from tal_search.types import CLICKS
from tests.support.paths import FIXTURES
from tests.support.presets import preset_of

TRUTHS = {"beoid": "beoid/beoid_groundtruth.json", "gtea": "gtea/gtea_groundtruth.json"}


def test_the_prepared_videos_end_with_their_scores_and_keep_every_click_and_instance_until_then(
    shared: Path, tmp_path: Path
) -> None:
    source = shared / "data" / "gtea"
    prepare(source, tmp_path)
    spec = find_dataset(load_study("gtea_methods", ["dataset.source=features", f"dataset.root={tmp_path}"]))
    (labels,) = (note for note in check(spec, ("A1",), CLICKS) if "taken for frames" not in note)
    assert "16 of 16 training videos have more than half of the 7 classes, so video labels say little" in labels
    dataset = load(spec, "A1", CLICKS)
    assert (len(dataset.train.videos), len(dataset.test.videos), dataset.train.features.shape[1]) == (16, 5, 12)
    assert not dataset.train.features[:, -1].any()
    with np.load(source / "frame_scores_svm.npz", allow_pickle=False) as file:
        seconds = dict(zip(file["names"].tolist(), (np.diff(file["offsets"]) / 3).tolist(), strict=True))
    database = json.loads((source / "gtea_groundtruth.json").read_text())["database"]
    background = json.loads((source / "clicks_background_uniform.json").read_text())
    lines = [line.split(",") for line in (source / "clicks_action_1.txt").read_text().splitlines() if line.strip()]
    for row, video in enumerate(dataset.train.videos):
        assert dataset.train.duration[row] == pytest.approx(seconds[video])
        instances = [one for one in database[video]["annotations"] if one["segment"][0] < seconds[video]]
        found = dataset.train_truth.segment[dataset.train_truth.video == dataset.train_truth.videos.index(video)]
        assert found.tolist() == [[one["segment"][0], min(one["segment"][1], seconds[video])] for one in instances]
        wanted = {int(frame / 15 / seconds[video] * 400) for frame in background[video] if frame / 15 < seconds[video]}
        assert set(np.flatnonzero(dataset.train.background_clicks[row]).tolist()) == wanted
        clicked = {int(float(at) / seconds[video] * 400) for name, at, _ in lines if name == video}
        assert set(np.flatnonzero(dataset.train.action_clicks[row].any(0)).tolist()) == {t for t in clicked if t < 400}


@pytest.mark.parametrize("name", TRUTHS)
def test_a_class_can_pass_the_threshold_in_the_video_of_most_classes(shared: Path, name: str) -> None:
    require_low_threshold(name, shared / "data" / TRUTHS[name])


def test_a_class_of_thumos14_can_pass_the_threshold_in_the_video_of_most_classes() -> None:
    require_low_threshold("thumos14", FIXTURES / "thumos14/gt_hrpro.json")


def require_low_threshold(dataset: str, truth: Path) -> None:
    """The classification loss wants a score of 1 / (n + 1) for each of a video's n classes."""
    database = json.loads(truth.read_text())["database"]
    most = max(len({one["label"] for one in entry["annotations"]}) for entry in database.values())
    named = definition(dataset).presets["backtal"].keys() - {"simulated"}
    assert named
    for name in named:
        threshold = preset_of("backtal", dataset, name).inference.get("class_threshold", Inference.class_threshold)
        assert threshold <= 1 / (most + 1), (dataset, name, most)
