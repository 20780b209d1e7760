"""Representative segments: rounds, switches and fits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tal_search.data.find import find, load
from tal_search.data.simulation.videos import Simulation
from tal_search.localization.inference import Inference
from tal_search.methods.representative import (
    PRESETS,
    Hyperparameters,
    Representative,
)
from tal_search.metrics.average_precision import score
from tal_search.nn import representative as parts
from tal_search.nn.batch import Batch
from tal_search.nn.compensation import sampling_weights
from tal_search.trial.loop import Fit
from tal_search.types import ACTION_CLICKS, VIDEO_LABELS, Dataset
from tests.support.naive_representative import BATCH, SNIPPETS, make_batch, make_method

pytestmark = pytest.mark.usefixtures("one_thread")

TERMS = {"video", "point", "score", "feature", "instance", "total"}


def begin(method: Representative, epoch: int, batch: Batch) -> None:
    method.network.eval()
    with torch.no_grad():
        assert not method.prepare(epoch, lambda: iter([batch]))
    method.network.train()


@pytest.mark.parametrize("epoch", [1, 3])
def test_gradients_reach_every_parameter_in_every_round(epoch: int) -> None:
    method, batch = make_method(), make_batch()
    begin(method, epoch, batch)
    losses = method.losses(batch, "all")
    assert set(losses) == TERMS
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
    losses["total"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in method.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("epoch", [1, 3])
def test_without_clicks_only_the_video_loss_is_left(epoch: int) -> None:
    method, batch = make_method(), make_batch(clicks=0.0)
    begin(method, epoch, batch)
    losses = method.losses(batch, "all")
    assert {name for name, loss in losses.items() if loss != 0} == {"video", "total"}
    empty = dataclasses.replace(batch, labels=torch.zeros_like(batch.labels))
    assert all(loss.isfinite() for loss in method.losses(empty, "all").values())


def test_losses_do_not_depend_on_how_many_classes_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU every class is, on a CPU as many as a video of the batch is labelled with."""
    method, batch = make_method(), make_batch()
    few = method.losses(batch, "all")
    monkeypatch.setattr(parts, "labelled", lambda labels: labels.topk(labels.shape[1], dim=1).indices)
    for name, loss in method.losses(batch, "all").items():
        torch.testing.assert_close(loss, few[name], rtol=1e-5, atol=0, msg=name)


def test_rounds_share_the_epochs_and_begin_with_proposals() -> None:
    method, batch = make_method(epochs=7, rounds=3, proposal_threshold=0.95), make_batch()
    rounds, kept = [], []
    for epoch in range(1, 8):
        begin(method, epoch, batch)
        rounds.append(int(method.network.round))  # type: ignore[arg-type]
        kept.append(method.memory)
    assert rounds == [1, 1, 1, 2, 2, 3, 3]
    assert kept[0] == kept[2] == {}
    assert kept[3] is kept[4]
    assert kept[5] is kept[6]
    assert kept[5] is not kept[4]
    lengths, instances = kept[3]["lengths"], kept[3]["instances"]
    assert lengths.shape == (BATCH, SNIPPETS)
    assert 0 < lengths.min() < SNIPPETS < lengths.max() == torch.inf
    weights = sampling_weights(lengths, 6.0)
    assert 1 == weights.min() < weights.max() <= 6.0
    assert not instances[batch.labels == 0].any()


def test_each_module_is_switched_off_by_its_weight() -> None:
    batch = make_batch()
    plain = make_method(tau=0.0)
    begin(plain, 3, batch)
    assert (sampling_weights(plain.memory["lengths"], 0.0) == 1).all()
    assert "prototypes" not in dict(make_method(omega=0.0).network.named_parameters())
    losses = make_method(lambda_representative=0.0).losses(batch, "all")
    torch.testing.assert_close(losses["total"], losses["video"] + losses["point"] + losses["instance"])
    assert Hyperparameters().supervision == (VIDEO_LABELS, ACTION_CLICKS)
    none = Hyperparameters(lambda_point=0.0, lambda_representative=0.0, lambda_instance=0.0)
    assert none.supervision == (VIDEO_LABELS,)


@pytest.fixture(scope="module")
def data() -> Dataset:
    simulation = Simulation(train_videos=80, test_videos=30, channels=24)
    return load(find("thumos14", "simulated", None, None, None, 60, simulation), "A1", (VIDEO_LABELS, ACTION_CLICKS))


def make_fit(data: Dataset, **hyperparameters: object) -> Fit:
    torch.manual_seed(0)
    preset = PRESETS["simulated"].hyperparameters
    hp = Hyperparameters(**{**preset, "batch_size": 8, **hyperparameters})  # type: ignore[arg-type]
    method = Representative(hp, data.train.features.shape[1], len(data.classes))
    return Fit(method, data.train, np.arange(len(data.train.videos)), 0, "float32", torch.device("cpu"))


def test_a_fit_learns_and_its_detections_keep_to_their_videos(data: Dataset) -> None:
    inference = Inference(**PRESETS["simulated"].inference)

    def at_half(fit: Fit) -> float:
        found = fit.method.detect(data.test, data.classes, inference)
        assert (found.segment[:, 0] >= 0).all()
        assert (found.segment[:, 1] <= data.test.duration[found.video] + 1e-9).all()
        return score(data.test_truth, found, (0.5,), protocol="activitynet", subset="test").mAP[0]

    fit = make_fit(data, epochs=18, learning_rate=1e-2)
    untrained = at_half(fit)
    first = fit.epoch(1)
    last = [fit.epoch(number) for number in range(2, 19)][-1]
    assert last["total"] < 0.6 * first["total"]
    assert int(fit.method.network.round) == 3  # type: ignore[arg-type]
    assert at_half(fit) > untrained + 0.08


def test_a_continued_fit_equals_an_uninterrupted_one(data: Dataset) -> None:
    whole = make_fit(data, epochs=6)
    losses = [whole.epoch(number) for number in range(1, 7)]
    for stop in (3, 4):  # the last epoch before a round's proposals are made is in the middle of them, or not
        first, second = make_fit(data, epochs=6), make_fit(data, epochs=6)
        for number in range(1, stop + 1):
            first.epoch(number)
        second.load_state(first.state())  # type: ignore[arg-type]
        assert [second.epoch(number) for number in range(stop + 1, 7)] == losses[stop:]
        assert all(torch.equal(a, b) for a, b in zip(whole.weights().values(), second.weights().values(), strict=True))


def test_weights_of_the_first_round_read_videos_as_they_were_trained_to(data: Dataset) -> None:
    """Epochs are chosen by held-out videos: then the weights of an earlier round meet the memory of the last."""
    fit = make_fit(data, epochs=3)
    fit.epoch(1)
    early = fit.weights()
    expected = fit.method.activations(data.test.subset(np.arange(4)))  # type: ignore[attr-defined]
    fit.epoch(2)
    fit.method.network.load_state_dict(early)
    found = fit.method.activations(data.test.subset(np.arange(4)))  # type: ignore[attr-defined]
    assert np.array_equal(found.cas, expected.cas)


def test_other_videos_and_their_order_do_not_change_activations(data: Dataset) -> None:
    fit = make_fit(data, epochs=3)
    for number in range(1, 4):
        fit.epoch(number)
    videos = data.test.subset(np.arange(20))
    together = fit.method.activations(videos)  # type: ignore[attr-defined]
    assert together.cas.shape == (20, 21, 120)
    for row in (0, 7, 19):
        alone = fit.method.activations(videos.subset(np.array([row])))  # type: ignore[attr-defined]
        np.testing.assert_allclose(alone.cas[0], together.cas[row], atol=1e-4)
        np.testing.assert_allclose(alone.scores[0], together.scores[row], atol=1e-4)
    backwards = fit.method.activations(videos.subset(np.arange(20)[::-1].copy()))  # type: ignore[attr-defined]
    np.testing.assert_allclose(backwards.cas[::-1], together.cas, atol=1e-4)
