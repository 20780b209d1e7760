"""SF-Net: fits that learn, what they keep between epochs, detections and presets."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tal_search.data.catalog import definition
from tal_search.data.find import find, load
from tal_search.data.sampling.settings import Sampling, SplitSampling
from tal_search.data.simulation.videos import Simulation
from tal_search.localization.inference import Inference
from tal_search.methods.sfnet import PRESETS, Hyperparameters, SFNet
from tal_search.metrics.average_precision import score
from tal_search.study import Study, preset_name
from tal_search.study.dataset_settings import DatasetSettings
from tal_search.study.effective_preset import named_preset, preset_names
from tal_search.trial.checkpoint import load_progress, save_progress
from tal_search.trial.loop import Fit
from tal_search.types import Dataset

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
RULE = Inference(**PRESETS["simulated"].inference)
EVERYTHING = {"lambda_sep": 1.0, "beta_aff": 0.8}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    simulation = Simulation(train_videos=40, test_videos=30, channels=24)
    return load(find("thumos14", "simulated", None, None, None, 80, simulation), "A1", SFNet.supervision)


def make_fit(dataset: Dataset, **hyperparameters: object) -> Fit:
    chosen = {"epochs": 8, "batch_size": 8, "learning_rate": 5e-3, **hyperparameters}
    torch.manual_seed(0)
    method = SFNet(Hyperparameters(**chosen), dataset.train.features.shape[1], len(dataset.classes))  # type: ignore[arg-type]
    return Fit(method, dataset.train, np.arange(len(dataset.train.videos)), seed=0, precision="float32", device=CPU)


def mAP(fit: Fit, dataset: Dataset) -> float:
    found = fit.method.detect(dataset.test, dataset.classes, RULE)
    return score(dataset.test_truth, found, (0.5,), subset="test").mAP[0]


def test_a_short_fit_learns_to_localize(dataset: Dataset) -> None:
    fit = make_fit(dataset, epochs=12, batch_size=4, dropout=0.3, learning_rate=1e-2)
    untrained = mAP(fit, dataset)
    for number in range(1, 13):
        losses = fit.epoch(number)
    assert set(losses) == {"video", "frame", "background", "actionness", "total"}
    assert mAP(fit, dataset) > untrained + 0.1


def test_clicks_grow_once_and_training_begins_anew(dataset: Dataset) -> None:
    fit = make_fit(dataset, expand_after=0.5)
    initial = fit.weights()
    for number in range(1, 5):
        fit.epoch(number)
    assert fit.method.memory == {}
    fit.prepare(5)
    grown, given_clicks = fit.method.memory["clicks"], torch.from_numpy(dataset.train.action_clicks)
    assert (grown & given_clicks).equal(given_clicks)
    assert int(grown.sum()) > int(given_clicks.sum())
    assert int(grown.sum()) <= 7 * int(given_clicks.sum())
    for name, weight in fit.weights().items():
        assert torch.equal(weight, initial[name]), name
    for number in (6, 7, 8):
        fit.epoch(number)
    assert fit.method.memory["clicks"] is grown


def test_a_fit_without_expansion_keeps_its_weights_and_clicks(dataset: Dataset) -> None:
    fit = make_fit(dataset, expand_radius=0)
    for number in range(1, 5):
        before = fit.weights()
        fit.prepare(number)
        assert all(torch.equal(weight, before[name]) for name, weight in fit.weights().items())
        fit.epoch(number)
    assert fit.method.memory == {}


@pytest.mark.parametrize("stop", [1, 5])
def test_a_fit_that_goes_on_from_a_checkpoint_equals_an_uninterrupted_one(
    dataset: Dataset, tmp_path: Path, stop: int
) -> None:
    whole, first, second = (make_fit(dataset, epochs=6, expand_after=1 / 3, **EVERYTHING) for _ in range(3))
    for number in range(1, 7):
        expected = whole.epoch(number)
    for number in range(1, stop + 1):
        first.epoch(number)
    save_progress(tmp_path, stop, first.state())
    state, _ = load_progress(tmp_path)
    assert state is not None
    second.load_state(state)
    for number in range(stop + 1, 7):
        found = second.epoch(number)
    assert found == expected
    assert all(torch.equal(weight, whole.weights()[name]) for name, weight in second.weights().items())


def test_detections_do_not_depend_on_the_other_videos(dataset: Dataset) -> None:
    fit = make_fit(dataset)
    fit.epoch(1)
    order = np.random.default_rng(0).permutation(len(dataset.test.videos))
    whole = fit.method.detect(dataset.test, dataset.classes, RULE)
    mixed = fit.method.detect(dataset.test.subset(order), dataset.classes, RULE)
    for row in range(len(order)):
        ours, theirs = whole.video == order[row], mixed.video == row
        assert ours.any()
        assert np.array_equal(whole.label[ours], mixed.label[theirs])
        np.testing.assert_allclose(whole.segment[ours], mixed.segment[theirs])
        np.testing.assert_allclose(whole.score[ours], mixed.score[theirs], rtol=1e-4)


def test_what_it_reads_is_video_labels_and_action_clicks() -> None:
    assert Hyperparameters().supervision == SFNet.supervision == ("video labels", "action clicks")


LENGTHS = {"thumos14": (750, 2800), "beoid": (100, 400), "gtea": (100, 150)}


@pytest.mark.parametrize("dataset", LENGTHS)
def test_real_features_take_the_releases_preset_for_its_variant_and_else_the_adapted_one(dataset: str) -> None:
    assert set(preset_names(definition(dataset), "sfnet")) == {"adapted", "release", "simulated", "generic"}
    for variant, name in (("paper", "adapted"), ("release", "release")):
        study = Study(
            name="x", method="sfnet", dataset=DatasetSettings(name=dataset), hyperparameters={"variant": variant}
        )
        assert preset_name(study, "features") == name
        assert preset_name(study, "simulated") == "simulated"
    assert named_preset(definition(dataset), "sfnet", "adapted").sampling == Sampling()


@pytest.mark.parametrize("dataset", LENGTHS)
def test_the_releases_preset_has_its_settings(dataset: str) -> None:
    preset = named_preset(definition(dataset), "sfnet", "release")
    crops = SplitSampling(kind="crop", lengths=LENGTHS[dataset], batches="anew")
    assert preset.sampling == Sampling(training=crops, test=SplitSampling(kind="native"))
    hp = Hyperparameters(**preset.hyperparameters)
    settings = {
        "variant": "release", "eta": 7, "lambda_act": 1, "lambda_sep": 0, "beta_aff": 0, "expand_radius": 3,
        "expand_score": 0.95, "dropout": 0.7, "steps": 8000, "epochs": None, "batch_size": 32, "learning_rate": 1e-4,
        "weight_decay": 5e-4, "schedule": "constant",
    }  # fmt: skip
    assert {name: getattr(hp, name) for name in settings} == settings
    videos = definition(dataset).videos.training
    assert hp.trained_on(videos).steps == {"thumos14": 8001}.get(dataset, 8000)
    inference = Inference(**preset.inference)
    assert (inference.rule, inference.class_threshold, inference.nms) == ("mean", 1 / 1.5, 1.0)


def test_a_fit_on_crops_learns_and_grows_clicks_at_stored_snippets(dataset: Dataset) -> None:
    """Videos of three lengths; a fit that goes on after the clicks grew draws the same crops."""
    count, stored = len(dataset.train.videos), dataset.train.features.shape[-1]
    length = np.array([stored, stored * 3 // 4, stored // 2])[np.arange(count) % 3]
    inside = np.arange(stored) < length[:, None]
    train = replace(
        dataset.train, features=dataset.train.features * inside[:, None],
        action_clicks=dataset.train.action_clicks & inside[:, None], length=length, start=np.zeros(count),
        extent=dataset.train.duration * length / stored,
    )  # fmt: skip
    crops = Sampling(training=SplitSampling(kind="crop", lengths=(20, 60), batches="anew"))

    def fit() -> Fit:
        torch.manual_seed(0)
        hp = Hyperparameters(epochs=8, batch_size=8, learning_rate=5e-3, variant="release", **EVERYTHING)  # type: ignore[arg-type]
        method = SFNet(hp, train.features.shape[1], len(dataset.classes))
        return Fit(method, train, np.arange(count), 0, "float32", CPU, crops, stored)

    whole, resumed = fit(), fit()
    losses = [whole.epoch(number) for number in range(1, 5)]
    assert losses[1]["total"] < losses[0]["total"]
    clicks = whole.method.memory["clicks"].numpy()
    assert clicks.shape == train.action_clicks.shape
    assert not (clicks & ~inside[:, None]).any()
    assert clicks.sum() > train.action_clicks.sum()
    assert (clicks & train.action_clicks == train.action_clicks).all()
    resumed.load_state(deepcopy(whole.state()))  # type: ignore[arg-type]
    assert resumed.epoch(5) == whole.epoch(5)
