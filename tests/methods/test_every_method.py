"""What every method promises, of each file in the methods' folder: losses, gradients, detections, going on."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tal_search.data.find import load
from tal_search.data.simulation.videos import Simulation
from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.methods.base import Method, Phase
from tal_search.nn.batch import Batch
from tal_search.trial.checkpoint import load_progress, save_progress
from tal_search.trial.loop import Fit
from tal_search.trial.optimisation.optimizers import phase_parameters
from tal_search.types import VIDEO_LABELS, Dataset, Detections, VideoSet
from tests.support.batches import batch_of
from tests.support.make_dataset import found
from tests.support.optimised_fits import EVERY

EPOCHS, SNIPPETS, BATCH = 6, 24, 3  # two epochs for each of three rounds: one may stop amid them
# Settings under which a method reads every supervision that it can, and is small, where with the defaults it is not so.
SETTINGS: dict[str, dict[str, Any]] = {
    "actionformer": {"width": 32, "levels": 3},
    "asl": {"width": 32, "levels": 3},
    "basnet": {"frame_weight": 1.0, "action_weight": 1.0, "filter_weight": 1.0},
}
ALL_CLASSES = Inference(class_threshold=0.0)  # an untrained network's detections too
pytestmark = [pytest.mark.parametrize("name", available()), pytest.mark.usefixtures("one_thread")]


@cache
def data(name: str) -> Dataset:
    """Eight videos to train on, with the supervision that the method declares, and five to test on."""
    simulation = Simulation(train_videos=8, test_videos=5, channels=8)
    spec = found(None, "simulated", snippets=SNIPPETS, simulation=simulation)
    return load(spec, "A1", specification(name).method.supervision)


def build(name: str, **options: Any) -> Method:
    settings = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": 1e-3, **SETTINGS.get(name, {}), **options}
    torch.manual_seed(0)
    return specification(name).build(settings, 8, len(data(name).classes))


def fit_of(name: str, seed: int = 0, **options: Any) -> Fit:
    train = data(name).train
    return Fit(build(name, **options), train, np.arange(len(train.videos)), seed, "float32", torch.device("cpu"))


def batch_from(name: str, first: int = 0) -> Batch:
    """BATCH training videos from the first one on."""
    return batch_of(data(name).train, torch.arange(first, first + BATCH))


def step(name: str, fit: Fit, phase: Phase, **changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """The losses of one batch of a fit that is prepared for its first epoch."""
    torch.manual_seed(1)
    batch, memory = dataclasses.replace(batch_from(name), **changes), fit.method.memory
    losses = fit.method.losses(batch, phase.name)
    fit.method.memory = memory  # which a step may change
    return losses


def prepared(name: str) -> Fit:
    fit = fit_of(name)
    fit.method.prepare(1, lambda: iter(()))
    fit.method.network.train()
    return fit


def rows_by_video(detections: Detections) -> dict[str, np.ndarray]:
    """Label, segment and score of every detection, by video, in one order."""
    table = np.column_stack([detections.label, detections.segment, detections.score])
    by_video = {}
    for index, video in enumerate(detections.videos):
        mine = table[detections.video == index]
        by_video[video] = mine[np.lexsort(np.round(mine, 3).T)]
    return by_video


def assert_same_detections(left: Detections, right: Detections, videos: tuple[str, ...]) -> None:
    one, other = rows_by_video(left), rows_by_video(right)
    for video in videos:
        np.testing.assert_allclose(one[video], other[video], rtol=1e-3, atol=1e-4, err_msg=video)


def detect(method: Method, videos: VideoSet) -> Detections:
    return method.detect(videos, data("backtal").classes, ALL_CLASSES)


def test_supervision_is_declared_and_begins_with_video_labels(name: str) -> None:
    method = specification(name)
    for settings in ({}, SETTINGS.get(name, {})):
        declared = method.hyperparameters(**settings).supervision
        assert declared[0] == VIDEO_LABELS
        assert set(declared) <= set(method.method.supervision)
    assert set(declared) == set(method.method.supervision), "Method.supervision is all that it may read"


def test_losses_are_finite_scalars_and_every_one_is_logged(name: str) -> None:
    fit = prepared(name)
    names: set[str] = set()
    for phase in fit.method.phases:
        losses = step(name, fit, phase)
        assert "total" in losses
        assert losses["total"].requires_grad
        assert all(loss.shape == () and loss.isfinite() for loss in losses.values()), losses
    for epoch in (1, 2):
        for phase in fit.method.active(epoch):
            names |= set(step(name, fit, phase))
    logged = fit_of(name)
    means = {**logged.epoch(1), **logged.epoch(2)}
    assert set(means) == names
    assert all(math.isfinite(value) for value in means.values())


def test_gradients_reach_every_parameter_of_their_phase(name: str) -> None:
    fit = prepared(name)
    trained: set[int] = set()
    for phase in fit.method.phases:
        reached: dict[int, bool] = {}
        parameters = dict(fit.method.network.named_parameters())
        mine = {id(parameter) for parameter in phase_parameters(fit.method, phase).values()}
        for first in (0, BATCH):  # a unit may be silent on one batch
            fit.method.network.zero_grad()
            torch.manual_seed(first)
            fit.method.losses(batch_from(name, first), phase.name)["total"].backward()
            for key, parameter in parameters.items():
                if id(parameter) in mine:
                    assert parameter.grad is not None, f"{key} has no gradient in phase {phase.name}"
                    assert parameter.grad.isfinite().all(), key
                    reached[id(parameter)] = reached.get(id(parameter), False) or bool(parameter.grad.any())
        silent = [key for key, parameter in parameters.items() if reached.get(id(parameter)) is False]
        assert silent == [], f"no gradient in phase {phase.name}"
        trained |= mine
    assert trained == {id(parameter) for parameter in fit.method.network.parameters()}


def test_padding_of_instances_changes_no_loss(name: str) -> None:
    fit = prepared(name)
    batch = batch_from(name)
    padded = {
        "segments": torch.nn.functional.pad(batch.segments, (0, 0, 0, 3)),
        "segment_labels": torch.nn.functional.pad(batch.segment_labels, (0, 3), value=-1),
    }
    for phase in fit.method.phases:
        plain, more = step(name, fit, phase), step(name, fit, phase, **padded)
        for loss in plain:
            torch.testing.assert_close(plain[loss], more[loss], msg=loss)


def test_a_batch_with_nothing_but_features_is_no_error(name: str) -> None:
    fit = prepared(name)
    batch = batch_from(name)
    empty = {
        "background_clicks": torch.zeros_like(batch.background_clicks),
        "action_clicks": torch.zeros_like(batch.action_clicks),
        "segments": batch.segments[:, :0],
        "segment_labels": batch.segment_labels[:, :0],
    }
    for changes in (empty, {**empty, "labels": torch.zeros_like(batch.labels)}):
        for phase in fit.method.phases:
            fit.method.network.zero_grad()
            losses = step(name, fit, phase, **changes)
            assert all(loss.isfinite() for loss in losses.values()), losses
            losses["total"].backward()
            gradients = [parameter.grad for parameter in fit.method.network.parameters()]
            assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


def test_detections_lie_inside_their_video_and_depend_on_no_other(name: str) -> None:
    fit, test = fit_of(name), data(name).test
    fit.epoch(1)
    together = detect(fit.method, test)
    assert len(together.score) > 0
    duration = np.array([test.duration[test.videos.index(together.videos[video])] for video in together.video])
    assert (together.segment[:, 0] >= 0).all()
    assert (together.segment[:, 1] <= duration + 1e-6).all()
    assert (together.segment[:, 0] < together.segment[:, 1]).all()
    assert np.isfinite(together.score).all()
    assert set(together.label) <= set(range(len(together.classes)))
    order = np.array([3, 0, 4, 2, 1])
    assert_same_detections(together, detect(fit.method, test.subset(order)), test.videos)
    for row, video in enumerate(test.videos):
        assert_same_detections(together, detect(fit.method, test.subset(np.array([row]))), (video,))


def test_the_same_seed_gives_the_same_fit_and_another_seed_another(name: str) -> None:
    fits = [fit_of(name, seed) for seed in (0, 0, 1)]
    losses = [[fit.epoch(1), fit.epoch(2)] for fit in fits]
    weights = [fit.weights() for fit in fits]
    assert losses[0] == losses[1] != losses[2]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    first, again = (detect(fit.method, data(name).test) for fit in fits[:2])
    np.testing.assert_array_equal(first.segment, again.segment)
    np.testing.assert_array_equal(first.score, again.score)


@pytest.mark.parametrize("options", [{}, EVERY], ids=["default", "every option"])
def test_a_fit_saved_and_loaded_goes_on_as_if_never_stopped(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    whole, curve = fit_of(name, **options), []
    folders = [tmp_path / str(stop) for stop in range(1, EPOCHS)]
    for epoch in range(1, EPOCHS + 1):
        curve.append(whole.epoch(epoch))
        if epoch < EPOCHS:
            folders[epoch - 1].mkdir()
            save_progress(folders[epoch - 1], epoch, whole.state())
    for stop, folder in enumerate(folders, start=1):  # what a method does between epochs lies on either side
        state, _ = load_progress(folder)
        assert state is not None
        second = fit_of(name, **options)
        second.load_state(state)
        assert [second.epoch(epoch) for epoch in range(stop + 1, EPOCHS + 1)] == curve[stop:]
        for kind in (Fit.weights, Fit.evaluated_weights):
            ours, theirs = kind(second), kind(whole)
            assert [key for key, tensor in ours.items() if not torch.equal(tensor, theirs[key])] == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_gpu_and_cpu_agree(name: str) -> None:
    fit, test = fit_of(name), data(name).test
    fit.epoch(1)
    on_cpu = detect(fit.method, test)
    fit.method.network.to("cuda")
    fit.method.memory = {key: tensor.to("cuda") for key, tensor in fit.method.memory.items()}
    assert_same_detections(on_cpu, detect(fit.method, test), test.videos)
