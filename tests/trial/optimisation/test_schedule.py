"""The learning rate's schedule: its shape, and that a fit which was stopped has the rates of one that was not."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tal_search.methods import available, specification
from tal_search.methods.base import Phase
from tal_search.methods.hyperparameters import SCHEDULES
from tal_search.trial.optimisation.schedule import WARM_UP, rate_factor
from tests.support.one_batch import make_fit, one_batch
from tests.support.optimised_fits import EPOCHS, fit_of

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


@given(
    schedule=st.sampled_from(SCHEDULES), warm_up=st.none() | st.floats(0, 1, exclude_max=True), final=st.floats(0, 1)
)
def test_a_factor_rises_to_1_at_the_end_of_the_warm_up_and_then_falls_to_the_last(
    schedule: str, warm_up: float | None, final: float
) -> None:
    top = warm_up if warm_up is not None else 0.0 if schedule == "constant" else WARM_UP
    rise = [round(rate_factor(schedule, top * place / 50, warm_up, final), 9) for place in range(51)]
    fall = [round(rate_factor(schedule, top + (1 - top) * place / 50, warm_up, final), 9) for place in range(51)]
    assert rise[-1] == fall[0] == 1
    assert rise == sorted(rise)
    assert fall == sorted(fall, reverse=True)
    assert fall[-1] == pytest.approx(1 if schedule == "constant" else final, abs=1e-8)
    if top > 1e-9:
        assert rise[0] == pytest.approx(1 / 25 if schedule == "one_cycle" else 0)


def test_actionformers_rates_are_those_of_its_scheduler() -> None:
    """5 epochs of warm-up and 30 of cosine to 1e-8, on THUMOS14's 100 batches an epoch, from its rate of 1e-4."""
    rate, rising, every, least = 1e-4, 500, 3500, 1e-8
    for step in range(every):
        theirs = rate * min(1.0, step / (rising - 1))
        if step > rising:
            fallen = (1 + math.cos(math.pi * (step - rising) / (every - rising))) / 2
            theirs = least + (rate - least) * fallen
        ours = rate * rate_factor("cosine", (step + 0.5) / every, warm_up=5 / 35, final=1e-4)
        assert ours == pytest.approx(theirs, abs=rate / rising), step
    assert ours == pytest.approx(least, rel=0.01)


def test_one_cycle_is_pytorchs() -> None:
    steps, parameter = 300, torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=steps, pct_start=0.3, final_div_factor=4.0, cycle_momentum=False
    )
    for step in range(steps - 1):
        ours = 0.1 * rate_factor("one_cycle", (step + 0.5) / steps, warm_up=0.3, final=0.01)
        assert ours == pytest.approx(cycle.get_last_lr()[0], abs=2e-3), step
        optimizer.step()
        cycle.step()


def test_every_step_has_its_rate_and_so_has_every_phase() -> None:
    fit = fit_of("dgam", schedule="one_cycle", warm_up=0.5, final_rate=0.2, learning_rate_cvae=4e-3)
    rates: dict[str, list[float]] = {phase.name: [] for phase in fit.method.phases}
    step = fit.step

    def noted(phase: Phase, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        rates[phase.name].append(fit.optimizers[phase.name].param_groups[0]["lr"])
        return step(phase, rows)

    fit.step = noted  # type: ignore[method-assign]
    for epoch in range(1, EPOCHS + 1):
        fit.epoch(epoch)
    shares = [(place + 0.5) / (3 * EPOCHS) for place in range(3 * EPOCHS)]
    expected = [rate_factor("one_cycle", share, 0.5, 0.2) for share in shares]
    assert rates["attention"] == pytest.approx([1e-3 * factor for factor in expected])
    assert rates["cvae"] == pytest.approx([4e-3 * factor for factor in expected])


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
    assert all(("schedule" in settings) is (method == "actionformer") for settings in others)  # its release has one
    assert not any("feature_scale" in settings for settings in others)


def test_basnet_and_backtal_are_trained_alike_on_simulated_videos() -> None:
    names = ("epochs", "batch_size", "learning_rate", "schedule", "feature_scale", "dropout", "weight_decay")
    both = []
    for method in ("backtal", "basnet"):
        known = specification(method)
        settings = known.hyperparameters(**known.presets["simulated"].hyperparameters)
        both.append([getattr(settings, name) for name in names])
    assert both[0] == both[1]
