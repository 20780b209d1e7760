"""Optimisation in a fit: each option has its effect, outlives an interruption, and fails where a gradient does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tal_search.errors import TalSearchError
from tal_search.localization.inference import Inference
from tal_search.methods import available
from tal_search.trial.checkpoint import load_progress, save_progress
from tal_search.trial.loop import Fit
from tests.support.one_batch import make_fit, one_batch
from tests.support.optimised_fits import EPOCHS, EVERY, METHODS, OPTIONS, build, data, fit_of
from tests.support.plain_training import plain_training

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = (Fit.weights, Fit.evaluated_weights)


def curve(fit: Fit, first: int = 1, last: int = EPOCHS) -> list[dict[str, float]]:
    return [fit.epoch(epoch) for epoch in range(first, last + 1)]


@pytest.mark.parametrize(
    ("schedule", "precision"), [("constant", "float32"), ("cosine", "float32"), ("cosine", "bf16")]
)
@pytest.mark.parametrize("name", available())
def test_without_options_a_fit_is_what_adam_alone_makes(name: str, schedule: str, precision: str) -> None:
    fit, method = fit_of(name, precision, schedule=schedule), build(name, schedule=schedule)
    assert curve(fit) == plain_training(method, data(name).train, 0, precision)
    plain = method.network.state_dict()
    assert [key for key, tensor in fit.evaluated_weights().items() if not torch.equal(tensor, plain[key])] == []
    test, every = data(name).test, Inference(class_threshold=0.0)
    ours, theirs = (each.detect(test, data(name).classes, every) for each in (fit.method, method))
    np.testing.assert_array_equal(ours.segment, theirs.segment)
    np.testing.assert_array_equal(ours.score, theirs.score)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_changes_what_is_evaluated(option: str) -> None:
    plain, changed = fit_of("backtal"), fit_of("backtal", **OPTIONS[option])
    same = curve(plain) == curve(changed)
    assert same is (option == "averaged"), "the average leaves the training alone"
    ours, theirs = changed.evaluated_weights(), plain.evaluated_weights()
    assert all(not torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


RUNS = [*((name, "float32") for name in OPTIONS), ("every", "bf16")]


@pytest.mark.parametrize(("option", "precision"), RUNS)
@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_fit_ends_as_an_uninterrupted_one(
    name: str, option: str, precision: str, tmp_path: Path
) -> None:
    """Stopped within SF-Net's first training, and after its restart."""
    options = {**OPTIONS, "every": EVERY}[option]
    whole = fit_of(name, precision, **options)
    losses = curve(whole)
    fit = fit_of(name, precision, **options)
    parts = []
    for first, last in ((1, 1), (2, 4), (5, EPOCHS)):
        parts += curve(fit, first, last)
        save_progress(tmp_path, last, fit.state())
        state, _ = load_progress(tmp_path)
        assert state is not None
        fit = fit_of(name, precision, **options)
        fit.load_state(state)
    assert parts == losses
    for kind in KINDS:
        ours, theirs = kind(fit), kind(whole)
        assert [key for key, tensor in ours.items() if not torch.equal(tensor, theirs[key])] == []


def test_everything_that_is_kept_is_float32_under_bf16() -> None:
    fit = fit_of("backtal", "bf16", **EVERY)
    curve(fit, last=2)
    for kind in KINDS:
        assert {tensor.dtype for tensor in kind(fit).values()} == {torch.float32}


def broken(fit: Fit, value: float) -> None:
    """Make one gradient have this value, whatever the loss is."""
    weight = fit.method.network.get_parameter("classifier_module.conv.weight")
    weight.register_hook(lambda gradient: torch.full_like(gradient, value))


@pytest.mark.parametrize(("value", "norm"), [(float("nan"), "nan"), (float("inf"), "inf"), (1e30, "inf")])
def test_a_gradient_whose_norm_is_not_finite_fails_the_fit_with_the_cause(value: float, norm: str) -> None:
    """1e30 is finite, but its square is not: clipping alone would make the whole step 0 without a word."""
    fit = make_fit(one_batch(), clip_norm=1.0)
    fit.epoch(1)
    broken(fit, value)
    said = (
        rf"^diverged at epoch 2: the gradient's norm is {norm} at a loss of [\d.]+; lower hyperparameters.learning_rate"
    )
    with pytest.raises(TalSearchError, match=said):
        fit.epoch(2)


@pytest.mark.parametrize("options", [{"clip_norm": 1.0}, EVERY], ids=["clipped", "every option"])
def test_a_loss_that_is_not_finite_is_the_cause_of_its_gradient(options: dict[str, Any]) -> None:
    fit = make_fit(one_batch(), **options)
    fit.method.network.get_parameter("classifier_module.conv.weight").data.fill_(float("nan"))
    with pytest.raises(TalSearchError, match=r"^diverged at epoch 1: the loss \w+ is nan; lower"):
        fit.epoch(1)


def test_the_first_gradient_that_breaks_is_the_cause_of_all_losses_after_it() -> None:
    fit = fit_of("backtal", clip_norm=1.0)  # three steps an epoch: the next loss is nan
    broken(fit, float("nan"))
    with pytest.raises(TalSearchError, match=r"^diverged at epoch 1: the gradient's norm is nan at a loss of [\d.]+;"):
        fit.epoch(1)


def test_a_clipped_fit_survives_a_gradient_that_is_large() -> None:
    fit = make_fit(one_batch(), clip_norm=1.0)
    broken(fit, 1e6)
    assert all(loss == loss for losses in curve(fit, last=3) for loss in losses.values())
