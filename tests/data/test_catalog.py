"""The known datasets: facts that agree with their real files, and a study of each that runs without them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

import pytest

from tal_search.config.thresholds import parse_tiou
from tal_search.data import data_folder
from tal_search.data.catalog import dataset_name, definition, installed, installed_as, name_of, recognised
from tal_search.data.definition import DatasetDefinition, VideoCounts
from tal_search.data.find import check, find, load
from tal_search.data.truth.annotations import read_annotations
from tal_search.methods.backtal import PRESETS, Hyperparameters
from tal_search.metrics.video_sets import left_out
from tal_search.plan.plan import resolve
from tal_search.study import load_study
from tal_search.types import BACKGROUND_CLICKS
from tests.support.definitions import INSTALLED as DATASETS
from tests.support.make_dataset import SMALL, problems_of
from tests.support.paths import FIXTURES
from tests.support.presets import preset_of

FILES = {
    "activitynet12": "activitynet/activity_net.v1-2.min.json",
    "beoid": "beoid/beoid_groundtruth.json",
    "gtea": "gtea/gtea_groundtruth.json",
}


@pytest.mark.parametrize("name", FILES)
def test_classes_and_numbers_of_videos_are_those_of_the_real_ground_truth(shared: Path, name: str) -> None:
    path = shared / "data" / FILES[name]
    train, test, _ = data_folder.subsets_and_fps(path, DATASETS[name].splits)
    entries = json.loads(path.read_text())["database"].values()
    counts = tuple(sum(entry["subset"] == subset for entry in entries) for subset in (train, test))
    assert VideoCounts(training=counts[0], test=counts[1]) == DATASETS[name].videos
    labels = {item["label"] for entry in entries for item in entry["annotations"]}
    assert labels == set(DATASETS[name].classes)


def test_classes_and_numbers_of_videos_of_thumos14_are_those_of_a_real_ground_truth() -> None:
    path = FIXTURES / "thumos14/gt_hrpro.json"
    train, test, _ = data_folder.subsets_and_fps(path, DATASETS["thumos14"].splits)
    truths = [read_annotations(path, subset) for subset in (train, test)]
    dropped = left_out(truths[1].videos, 210)
    counts = VideoCounts(training=len(truths[0].videos), test=len({*truths[1].videos} - {*dropped}))
    assert counts == DATASETS["thumos14"].videos
    assert truths[0].classes == truths[1].classes == DATASETS["thumos14"].classes


@pytest.mark.parametrize("name", ["beoid", "gtea"])
def test_the_real_small_sets_stand_on_their_own_timeline_with_their_clicks(shared: Path, name: str) -> None:
    folder = shared / "data" / name
    spec = find(name, "simulated", None, shared / "data" / FILES[name], folder, 40, SMALL)
    dataset = load(spec, "uniform", (BACKGROUND_CLICKS,))
    check(spec, ("uniform",), (BACKGROUND_CLICKS,))
    truth = read_annotations(shared / "data" / FILES[name], "training")
    assert dataset.classes == tuple(sorted(DATASETS[name].classes))
    assert dataset.train.videos == truth.videos
    clicked = json.loads((folder / "clicks_background_uniform.json").read_text())
    clicks = [click for video, times in clicked.items() if video.strip() in truth.videos for click in times]
    assert 0 < dataset.train.background_clicks.sum() <= len(clicks)


@pytest.mark.parametrize("name", DATASETS)
def test_a_stand_in_has_the_classes_and_is_called_by_the_name_of_its_dataset(name: str) -> None:
    spec = find(name, "simulated", None, None, None, 8, SMALL)
    assert spec.description.startswith(f"simulated {DATASETS[name].title} stand-in")
    dataset = load(spec, "A1", ())
    assert dataset.classes == DATASETS[name].classes
    assert dataset.train.labels.shape == (SMALL.train_videos, len(dataset.classes))


def test_stand_ins_of_two_datasets_are_not_taken_for_one() -> None:
    specs = {find(name, "simulated", None, None, None, 8, SMALL).fingerprint for name in DATASETS}
    assert len(specs) == len(DATASETS)


def test_a_known_dataset_is_named_in_any_spelling() -> None:
    texts = ("THUMOS14", "thumos-14", "ActivityNet-1.2", "HACS", "beoid", "thumos15", "My data")
    assert [dataset_name(text) for text in texts] == [
        "thumos14", "thumos14", "activitynet12", "hacs", "beoid", "thumos15", "My data",
    ]  # fmt: skip


@pytest.mark.parametrize("name", DATASETS)
def test_every_preset_is_made_of_settings_that_exist(name: str) -> None:
    published = {"paper", "release"} if name in ("thumos14", "activitynet12", "hacs") else {"adapted"}
    assert published <= definition(name).presets["backtal"].keys() <= {*published, "simulated"}
    assert {preset_of("backtal", name, preset).snippets for preset in published} == {DATASETS[name].snippets}


@pytest.mark.parametrize("name", ["beoid", "gtea"])
def test_a_fit_on_a_small_set_has_as_many_steps_as_on_thumos14(name: str) -> None:
    hyperparameters = Hyperparameters(**preset_of("backtal", name, "adapted").hyperparameters)
    steps = hyperparameters.epochs * math.ceil(DATASETS[name].videos.training / hyperparameters.batch_size)
    assert steps == pytest.approx(100 * math.ceil(200 / 16), abs=2)


@pytest.mark.parametrize(
    ("study", "name", "thresholds", "cells"),
    [
        ("anet_grid", "activitynet12", "0.5:0.95:0.05", 29),
        ("hacs_grid", "hacs", "0.5:0.95:0.05", 29),
        ("beoid_grid", "beoid", "0.1:0.7:0.1", 29),
    ],
)
def test_each_study_plans_on_its_stand_in(study: str, name: str, thresholds: str, cells: int, tmp_path: Path) -> None:
    plan = resolve(load_study(study, ["dataset.source=simulated", f"runs={tmp_path / 'runs'}"]))
    assert plan.dataset.name == name
    assert plan.preset == "simulated"
    assert plan.dataset.snippets == PRESETS["simulated"].snippets
    assert tuple(plan.protocol["tiou"]) == parse_tiou(thresholds) == parse_tiou(DATASETS[name].tiou)
    assert len(plan.cells) == cells


@pytest.mark.parametrize(("name", "last"), [("thumos14", 0.9), ("hacs", 0.95), ("gtea", 0.7)])
def test_thresholds_are_those_of_the_dataset_unless_given(name: str, last: float, tmp_path: Path) -> None:
    overrides = [f"dataset.name={name}", "dataset.source=simulated", f"runs={tmp_path}"]
    assert resolve(load_study("thumos_single", overrides)).protocol["tiou"][-1] == last
    assert resolve(load_study("thumos_single", [*overrides, "protocol.tiou=0.3"])).protocol["tiou"] == [0.3]


def test_the_nearest_definition_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").mkdir()
    assert definition("gtea").title == "GTEA"
    (tmp_path / "datasets" / "gtea.yaml").write_text("title: mine")
    assert definition("gtea").title == "mine"
    (tmp_path / "datasets" / "gtea.yaml").write_text("title: of later")
    assert definition("gtea").title == "of later"
    (tmp_path / "given.yaml").write_text("title: given")
    assert definition("gtea", Path("given.yaml")).title == "given"
    (tmp_path / "datasets" / "gtea.yaml").unlink()
    (tmp_path / "datasets" / "gtea.yaml").symlink_to("absent.yaml")
    assert problems_of(lambda: definition("gtea")) == (
        "datasets/gtea.yaml: cannot be read (it is a link to nothing); give a YAML file",
    )


def test_an_unknown_dataset_has_the_default_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert definition("My data") == DatasetDefinition(name="My data")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "my_data.yaml").write_text("title: mine")
    assert dataset_name("My data") == "my_data"


@pytest.mark.parametrize("name", ["../gtea", "a/b", "", ".", "..", "a\0", "a\nb", "-a", "a" * 101, "gtea.", "~x", "*"])
def test_what_cannot_name_a_folder_is_no_name(name: str) -> None:
    for ask in (dataset_name, definition):
        (problem,) = problems_of(lambda ask=ask: ask(name))
        assert "is no name of a dataset; a name has at most 100 letters" in problem
        assert problem.isprintable()


def test_a_ground_truth_is_recognised_by_its_name_or_by_its_labels(tmp_path: Path) -> None:
    def of(labels: Iterable[str], name: str = "truth.json") -> str:
        instances = [{"label": label, "segment": [1, 2]} for label in labels]
        (tmp_path / name).write_text(json.dumps({"database": {"v": {"subset": "test", "annotations": instances}}}))
        return recognised(tmp_path / name).name

    classes = DATASETS["thumos14"].classes
    assert of(["Jogging"], "gt_gtea.json") == "gtea"
    assert of(["Jogging"], "thumos14.json") == ""
    assert of([*map(str.upper, classes[:18]), "Joging"]) == "thumos14"
    assert of(classes[:15]) == of([*classes, *(f"another {letter}" for letter in "abcdef")]) == ""
    assert {name: of(found.classes) for name, found in DATASETS.items()} == {name: name for name in DATASETS}


def test_a_name_that_is_not_given_is_that_of_the_file() -> None:
    assert name_of(None, None) == "thumos14"
    assert name_of(None, Path("a/mine.yaml")) == "mine"
    assert name_of("gtea", Path("a/mine.yaml")) == "gtea"
    assert "is no name of a dataset" in problems_of(lambda: name_of(None, Path("a/~.yaml")))[0]


def test_an_installed_definition_is_read_whatever_the_working_directory_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "gtea.yaml").write_text("title: Mine\n")
    monkeypatch.chdir(tmp_path)
    found = installed_as("gtea")
    assert found is not None
    assert found.title == installed()["gtea"].title != "Mine"
    assert installed_as("nothing") is installed_as("../gtea") is None
