"""The learning rate's schedule: its shape, and that a fit which was stopped has the rates of one that was not."""

from __future__ import annotations

import pytest
import torch
from test_step import make_fit, one_batch

from tal_search.trial.schedule import WARM_UP, rate_factor

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
