"""The baseline: each switch adds its supervision and its loss, and nothing of the others; a fit learns."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tal_search.data.find import load
from tal_search.data.simulation.videos import Simulation
from tal_search.localization.inference import Inference
from tal_search.methods.backtal import Hyperparameters as BackTALHyperparameters
from tal_search.methods.basnet import PRESETS, BaSNet, Hyperparameters
from tal_search.nn.batch import Batch
from tal_search.trial.code_version import code_version
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, VIDEO_LABELS
from tests.support.batches import batch_of
from tests.support.make_dataset import found
from tests.support.presets import preset_of
from tests.support.small_fits import make_data, make_spec, run

SWITCHES: list[tuple[dict[str, float], tuple[str, ...], set[str]]] = [
    ({}, (), set()),
    ({"frame_weight": 1.0}, (BACKGROUND_CLICKS,), {"frame"}),
    ({"action_weight": 1.0}, (ACTION_CLICKS,), {"action"}),
    ({"filter_weight": 1.0}, (BACKGROUND_CLICKS,), {"filter"}),
    ({"frame_weight": 0.5, "filter_weight": 2.0}, (BACKGROUND_CLICKS,), {"frame", "filter"}),
    ({"frame_weight": 1.0, "action_weight": 1.0}, (BACKGROUND_CLICKS, ACTION_CLICKS), {"frame", "action"}),
]


def make_trial(**settings: Any) -> TrialSpec:
    chosen: dict[str, Any] = {"epochs": 8, "batch_size": 8, "learning_rate": 5e-3, "dropout": 0.5, **settings}
    hyperparameters = Hyperparameters(**chosen)
    return dataclasses.replace(
        make_spec(make_data()), method="basnet", code_version=code_version("basnet", "simulated"),
        hyperparameters=dataclasses.asdict(hyperparameters), supervision=hyperparameters.supervision,
    )  # fmt: skip


def first_batch() -> Batch:
    return batch_of(load(make_data(), "A1", BaSNet.supervision).train, torch.arange(8))


@pytest.mark.parametrize(("settings", "clicks", "terms"), SWITCHES)
def test_each_switch_reads_its_clicks_and_adds_its_weighted_loss(
    settings: dict[str, float], clicks: tuple[str, ...], terms: set[str]
) -> None:
    hyperparameters = Hyperparameters(**settings)
    assert hyperparameters.supervision == (VIDEO_LABELS, *clicks)
    torch.manual_seed(0)
    method = BaSNet(hyperparameters, 12, 20)
    method.network.eval()
    losses = method.losses(first_batch(), "all")
    weights = {"frame": "frame_weight", "action": "action_weight", "filter": "filter_weight"}
    assert all(losses[name] > 0 for name in weights)
    added = sum(settings[weights[name]] * losses[name] for name in terms)
    plain = losses["cls_base"] + losses["cls_supp"] + 1e-4 * losses["norm"]
    torch.testing.assert_close(losses["total"], plain + added)


@pytest.mark.parametrize("settings", [{}, {"frame_weight": 1.0, "action_weight": 1.0, "filter_weight": 1.0}])
def test_the_release_has_its_own_classification_biases_and_means_over_clicks(settings: dict[str, float]) -> None:
    torch.manual_seed(0)
    method = BaSNet(Hyperparameters(variant="release", **settings), 12, 20)
    biases = {name for name, _ in method.network.named_parameters() if name.endswith("bias")}
    assert {"base_module.conv_1.bias", "base_module.conv_2.bias"} < biases
    assert "classifier_module.conv.bias" not in biases
    method.network.eval()
    batch = first_batch()
    release = method.losses(batch, "all")
    release["total"].backward()
    assert all(parameter.grad is not None for parameter in method.network.parameters())
    method.hyperparameters = Hyperparameters(**settings)
    paper = method.losses(batch, "all")
    differ = {name for name in paper if not torch.equal(paper[name], release[name])}
    assert differ == {"cls_base", "cls_supp", "frame", "action", "total"}


def test_presets_are_named_by_what_they_are() -> None:
    assert set(PRESETS) == {"paper", "release", "adapted", "simulated"}
    baseline, adapted = (Hyperparameters(**PRESETS[name].hyperparameters) for name in ("paper", "adapted"))
    backtal = BackTALHyperparameters()
    shared = ("epochs", "batch_size", "learning_rate", "weight_decay", "dropout", "k_ratio", "kernel_size", "variant")
    assert {name: getattr(baseline, name) for name in shared} == {name: getattr(backtal, name) for name in shared}
    assert (adapted.variant, adapted.epochs * 13) == ("release", 1495)
    inference = Inference(**PRESETS["adapted"].inference)
    assert inference == Inference(rule="basnet", nms=0.7, overlap="release")


def test_the_release_samples_as_released_and_differs_from_adapted_in_nothing_else_but_whole_epochs() -> None:
    released = preset_of("basnet", "thumos14", "release")
    assert (released.snippets, released.sampling.written(750)) == (
        750, "random-perturbed to 750 in training, uniform to 750 at test"
    )  # fmt: skip
    hp = Hyperparameters(**released.hyperparameters)
    assert (hp.variant, hp.batch_size, hp.learning_rate, hp.weight_decay, hp.dropout) == (
        "release",
        16,
        1e-4,
        5e-4,
        0.7,
    )
    assert hp.schedule == "constant"
    assert hp.epochs == -(-1500 // -(-200 // hp.batch_size)), "1500 steps of 200 videos in whole epochs"
    assert released.inference == PRESETS["adapted"].inference
    assert dataclasses.replace(hp, epochs=115) == Hyperparameters(**PRESETS["adapted"].hyperparameters)


@pytest.mark.usefixtures("one_thread")
def test_a_small_fit_learns(tmp_path: Path) -> None:
    simulation = Simulation(train_videos=60, test_videos=30, channels=32)
    clicked = {"frame_weight": 1.0, "action_weight": 1.0, "filter_weight": 1.0, "batch_size": 4}

    def first(**settings: Any) -> float:
        spec = make_trial(**clicked, **settings)
        protocol = {**spec.protocol, "evaluate_every": 100}
        wider = dataclasses.replace(spec, dataset=found(None, snippets=60, simulation=simulation), protocol=protocol)
        return run(wider, tmp_path / str(settings["epochs"])).mAP[0]

    assert first(epochs=15) > 0.1 + first(epochs=1, learning_rate=1e-9)
