"""ActionFormer: its losses against loops, the loss normaliser in checkpoints, and its recipe."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from tal_search.data.find import load
from tal_search.data.sampling.settings import CROP, NATIVE
from tal_search.localization.inference import Inference
from tal_search.methods.actionformer import SPECIFICATION, ActionFormer, Hyperparameters
from tal_search.metrics.average_precision import score
from tal_search.nn.batch import Batch
from tal_search.trial.loop import Fit
from tal_search.types import INSTANCES, NO_ANNOTATOR, VIDEO_LABELS, Dataset
from tests.support.batches import background_batch
from tests.support.small_fits import make_data

pytestmark = pytest.mark.usefixtures("one_thread")

CHANNELS, CLASSES, SNIPPETS = 6, 4, 30
LENGTHS = [30, 15, 8]
INSTANCES_OF = [[(2, 6, 1), (2, 6, 3), (10, 25, 2)], [(0, 17, 0)], []]


def method(**options: Any) -> ActionFormer:
    torch.manual_seed(0)
    return ActionFormer(Hyperparameters(**{"width": 8, "levels": 3, "window": 5, **options}), CHANNELS, CLASSES)


def batch(length: torch.Tensor | None = None) -> Batch:
    """Three videos with INSTANCES_OF."""
    features = torch.randn(3, CHANNELS, SNIPPETS, generator=torch.Generator().manual_seed(1))
    rows = torch.tensor([[*rows, *[(0, 0, -1)] * (3 - len(rows))] for rows in INSTANCES_OF])
    clicks = torch.zeros(3, SNIPPETS, dtype=torch.bool)
    plain = background_batch(features, torch.zeros(3, CLASSES), clicks)
    return dataclasses.replace(plain, segments=rows[..., :2].float(), segment_labels=rows[..., 2].long(), length=length)


def slow_losses(model: ActionFormer, given: Batch) -> tuple[float, float, int]:
    """Sums of the focal and the DIoU loss, and the number of positive points, point by point."""
    output = model.network(given.features, given.valid)
    focal, regression, count = 0.0, 0.0, 0
    reach = [(0, 4), (4, 8), (8, math.inf)]
    points = [(level, t * 2**level) for level, points in enumerate(LENGTHS) for t in range(points)]
    for b, (p, (level, snippet)) in ((b, point) for b in range(3) for point in enumerate(points)):
        if given.length is not None and snippet >= given.length[b]:
            continue
        time, (low, high) = snippet + 0.5, reach[level]
        meant = [
            (end - start, start, end, label)
            for start, end, label in INSTANCES_OF[b]
            if start < time < end
            and low <= max(time - start, end - time) < high
            and abs(time - (start + end) / 2) < 1.5 * 2**level
        ]
        shortest = [one for one in meant if one[0] == min(meant)[0]]
        for c in range(CLASSES):
            probability = 1 / (1 + math.exp(-float(output.logits[b, p, c])))
            if c in {one[3] for one in shortest}:
                focal -= 0.25 * (1 - probability) ** 2 * math.log(probability)
            else:
                focal -= 0.75 * probability**2 * math.log(1 - probability)
        if meant:
            count += 1
            (s, e), (_, start, end, _) = output.segments[b, p].tolist(), shortest[0]
            shared = max(0.0, min(e, end) - max(s, start))
            apart = ((s + e - start - end) / 2 / (max(e, end) - min(s, start))) ** 2
            regression += 1 - shared / (e - s + end - start - shared) + apart
    return focal, regression, count


@torch.no_grad()
@pytest.mark.parametrize("length", [None, torch.tensor([30, 18, 5])])
def test_losses_equal_the_loop_over_points(length: torch.Tensor | None) -> None:
    model, given = method(lambda_regression=0.5), batch(length)
    model.network.eval()
    focal, regression, count = slow_losses(model, given)
    assert count == 8
    found = {name: float(loss) for name, loss in model.losses(given, "all").items()}
    expected = {"classification": focal / 100, "regression": regression / 100}
    expected["total"] = expected["classification"] + 0.5 * expected["regression"]
    assert found == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
def test_the_normaliser_is_a_running_mean_of_the_positive_points_of_training_batches() -> None:
    model, given = method(first_normaliser=50.0, momentum=0.8, drop_path=0.0), batch()
    focal, regression, count = slow_losses(model, given)
    expected = 50.0
    for _ in range(3):
        expected = 0.8 * expected + 0.2 * count
        found = model.losses(given, "all")
        assert float(model.memory["normaliser"]) == pytest.approx(expected, rel=1e-6)
        assert float(found["classification"]) == pytest.approx(focal / expected, rel=1e-4)
        assert float(found["regression"]) == pytest.approx(regression / expected, rel=1e-4)
    empty = dataclasses.replace(given, segment_labels=torch.full_like(given.segment_labels, -1))
    model.losses(empty, "all")
    assert float(model.memory["normaliser"]) == pytest.approx(0.8 * expected + 0.2, rel=1e-6)
    model.network.eval()
    model.losses(given, "all")
    assert float(model.memory["normaliser"]) == pytest.approx(0.8 * expected + 0.2, rel=1e-6)


def test_the_normaliser_is_in_checkpoints() -> None:
    data = simulated()

    def fit() -> Fit:
        torch.manual_seed(0)
        model = ActionFormer(Hyperparameters(width=8, levels=3, batch_size=20), 12, len(data.classes))
        return Fit(model, data.train, np.arange(40), 0, "float32", torch.device("cpu"))

    first, second = fit(), fit()
    first.epoch(1)
    second.load_state(copy.deepcopy(first.state()))  # type: ignore[arg-type]
    kept = first.method.memory["normaliser"]
    assert second.method.memory["normaliser"] == kept != 100
    assert first.epoch(2) == second.epoch(2)


def simulated() -> Dataset:
    """A small simulated set; training videos with their instances."""
    return load(make_data(), NO_ANNOTATOR, (VIDEO_LABELS, INSTANCES))


def test_a_fit_learns_to_localize() -> None:
    data = simulated()
    settings = {"width": 16, "levels": 4, "window": 9, "batch_size": 4, "learning_rate": 5e-3, "optimizer": "adamw"}
    torch.manual_seed(0)
    model = ActionFormer(Hyperparameters(**settings), 12, len(data.classes))
    fit = Fit(model, data.train, np.arange(40), 0, "float32", torch.device("cpu"))
    found = [model.detect(data.test, data.classes, Inference())]
    curve = [fit.epoch(epoch + 1)["total"] for epoch in range(10)]
    assert curve[-1] < curve[0] * 2 / 3
    found.append(model.detect(data.test, data.classes, Inference()))
    before, after = (score(data.test_truth, one, (0.3,), subset="test").mAP[0] for one in found)
    assert before < 0.02
    assert after > 0.1


def test_its_preset_is_its_recipe() -> None:
    preset = SPECIFICATION.presets["adapted"]
    hp = SPECIFICATION.configured(preset.hyperparameters)
    assert isinstance(hp, Hyperparameters)
    found = (hp.optimizer, hp.learning_rate, hp.weight_decay, hp.schedule, hp.epochs, hp.batch_size, hp.clip_norm)
    assert found == ("adamw", 1e-4, 0.05, "cosine", 35, 2, 1.0)
    assert hp.warm_up is not None
    assert hp.warm_up * hp.epochs == pytest.approx(5)
    assert (hp.ema_decay, hp.drop_path, hp.window, hp.radius) == (0.999, 0.1, 19, 1.5)
    training, test = preset.sampling.training, preset.sampling.test
    assert (training.kind, training.lengths, test.kind) == (CROP, (2304,), NATIVE)
