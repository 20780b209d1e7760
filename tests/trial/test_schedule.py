"""The learning rate's schedule: its shape, and that a fit which was stopped has the rates of one that was not."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tal_search.methods import available, specification
from tal_search.trial.schedule import WARM_UP, rate_factor
from tests.support.one_batch import make_fit, one_batch

pytestmark = pytest.mark.usefixtures("one_thread")


def test_cosine_rises_then_falls_to_nothing() -> None:
    shares = [place / 200 for place in range(201)]
    factors = [rate_factor("cosine", share) for share in shares]
    top = factors.index(max(factors))
    assert shares[top] == pytest.approx(WARM_UP)
    assert max(factors) == pytest.approx(1)
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)
    assert (factors[0], factors[-1]) == (0, pytest.approx(0))
    assert {rate_factor("constant", share) for share in shares} == {1.0}


def test_rates_of_a_fit_follow_from_the_place_in_it_alone() -> None:
    """The third of four epochs has the same rate in a fit that begins there."""
    rates = []
    for epochs in ([1, 2, 3], [3]):
        fit = make_fit(one_batch(), epochs=4, schedule="cosine", learning_rate=0.01)
        for epoch in epochs:
            fit.epoch(epoch)
        rates.append({group["lr"] for optimizer in fit.optimizers.values() for group in optimizer.param_groups})
    assert rates[0] == rates[1] == {0.01 * rate_factor("cosine", 2.5 / 4)}


def test_features_are_multiplied_by_their_scale() -> None:
    videos = one_batch()
    features = torch.from_numpy(videos.features)
    plain, scaled = (make_fit(videos, feature_scale=scale).method.network.eval() for scale in (1.0, 3.0))
    scaled.load_state_dict(plain.state_dict())
    assert torch.equal(scaled(features).cas_supp, plain(3 * features).cas_supp)
    assert torch.equal(scaled.suppressed(features)[0], plain.suppressed(3 * features)[0])


@pytest.mark.parametrize("method", available())
def test_papers_and_releases_train_at_a_constant_rate(method: str) -> None:
    known = specification(method)
    (spec,) = (one for one in dataclasses.fields(known.hyperparameters) if one.name == "schedule")
    assert spec.default == "constant"
    others = [preset.hyperparameters for name, preset in known.presets.items() if name != "simulated"]
    assert not any("schedule" in settings or "feature_scale" in settings for settings in others)


def test_basnet_and_backtal_are_trained_alike_on_simulated_videos() -> None:
    names = ("epochs", "batch_size", "learning_rate", "schedule", "feature_scale", "dropout", "weight_decay")
    both = []
    for method in ("backtal", "basnet"):
        known = specification(method)
        settings = known.hyperparameters(**known.presets["simulated"].hyperparameters)
        both.append([getattr(settings, name) for name in names])
    assert both[0] == both[1]
