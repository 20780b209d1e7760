"""The moving average of weights: its definition, its phases, its buffers, and what it leaves alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tal_search.methods.base import Phase
from tal_search.trial.loop import Fit
from tal_search.trial.optimisation.average import WeightAverage
from tests.support.one_batch import make_fit, one_batch
from tests.support.optimised_fits import EPOCHS, METHODS, fit_of

pytestmark = pytest.mark.usefixtures("one_thread")
DECAY = 0.8


def weighted(steps: list[torch.Tensor], decay: float = DECAY) -> torch.Tensor:
    """The mean of a tensor after each step, of age a with weight decay^a."""
    shares = torch.tensor([decay**age for age in reversed(range(len(steps)))], dtype=torch.float64)
    return (torch.stack(steps).double() * (shares / shares.sum()).view(-1, *[1] * steps[0].dim())).sum(0).float()


def test_the_average_is_that_of_all_steps_with_ages_as_exponents() -> None:
    fit = make_fit(one_batch(), ema_decay=DECAY, learning_rate=0.01, epochs=8)
    steps: list[dict[str, torch.Tensor]] = []
    for epoch in range(1, 9):
        fit.epoch(epoch)  # one step
        steps.append(fit.weights())
        for name, tensor in fit.evaluated_weights().items():
            torch.testing.assert_close(tensor, weighted([step[name] for step in steps]), rtol=1e-4, atol=1e-6)
    first, last = steps[0]["classifier_module.conv.weight"], steps[-1]["classifier_module.conv.weight"]
    assert not torch.allclose(first, last, rtol=1e-2), "the weights move, or the test shows nothing"


def stepped(fit: Fit, epoch: int) -> dict[str, list[dict[str, torch.Tensor]]]:
    """The weights after each step of an epoch, by phase."""
    assert fit.average is not None
    seen: dict[str, list[dict[str, torch.Tensor]]] = {phase.name: [] for phase in fit.method.phases}
    update = fit.average.update

    def noted(phase: Phase) -> None:
        seen[phase.name].append(fit.weights())
        update(phase)

    fit.average.update = noted  # type: ignore[method-assign]
    fit.epoch(epoch)
    return seen


def test_weights_are_averaged_over_the_steps_of_the_phase_that_trains_them() -> None:
    fit = fit_of("dgam", ema_decay=DECAY)
    seen, average = stepped(fit, 1), fit.evaluated_weights()
    assert {name: len(steps) for name, steps in seen.items()} == {"cvae": 3, "attention": 3}
    for phase in fit.method.phases:
        for name in [name for name in average if name.startswith(phase.parameters)]:
            torch.testing.assert_close(average[name], weighted([step[name] for step in seen[phase.name]]))


def test_a_restart_starts_the_average_anew() -> None:
    """SF-Net's before the third epoch: only the steps after it count."""
    fit = fit_of("sfnet", ema_decay=DECAY)
    seen: list[dict[str, torch.Tensor]] = []
    for epoch in (1, 2):
        fit.epoch(epoch)
    before = fit.average
    step = fit.step

    def noted(phase: Phase, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        losses = step(phase, rows)
        seen.append(fit.weights())
        return losses

    fit.step = noted  # type: ignore[method-assign]
    fit.epoch(3)
    assert fit.average is not before
    assert len(seen) == 3
    for name, tensor in fit.evaluated_weights().items():
        torch.testing.assert_close(tensor, weighted([step[name] for step in seen]))


@pytest.mark.parametrize("name", METHODS)
def test_training_goes_on_with_the_weights_themselves(name: str) -> None:
    """Losses, weights, grown clicks and proposals are those of a fit without an average."""
    plain, averaged = fit_of(name), fit_of(name, ema_decay=0.99)
    for epoch in range(1, EPOCHS + 1):
        assert plain.epoch(epoch) == averaged.epoch(epoch)
        with averaged.averaged():
            pass
    assert all(torch.equal(tensor, averaged.weights()[key]) for key, tensor in plain.weights().items())
    assert plain.method.memory.keys() == averaged.method.memory.keys()
    assert all(torch.equal(tensor, averaged.method.memory[key]) for key, tensor in plain.method.memory.items())
    evaluated = averaged.evaluated_weights()
    assert not all(torch.equal(tensor, evaluated[key]) for key, tensor in plain.weights().items())


def test_the_network_gets_its_weights_back_whatever_happens() -> None:
    fit = make_fit(one_batch(), ema_decay=0.9)
    for epoch in (1, 2, 3):
        fit.epoch(epoch)
    trained, evaluated = fit.weights(), fit.evaluated_weights()
    layer = fit.method.network.get_parameter("base_module.conv_1.weight")
    with fit.averaged():
        assert fit.method.network.get_parameter("base_module.conv_1.weight") is layer
        assert all(torch.equal(tensor, evaluated[name]) for name, tensor in fit.weights().items())
    with pytest.raises(KeyError), fit.averaged():
        raise KeyError
    assert all(torch.equal(tensor, trained[name]) for name, tensor in fit.weights().items())
    fit.end(evaluated)
    with fit.averaged():
        assert all(torch.equal(tensor, evaluated[name]) for name, tensor in fit.weights().items())


def test_buffers_of_floating_point_are_averaged_and_counters_are_not() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    method = SimpleNamespace(network=network, phases=(Phase("all"),))
    average = WeightAverage(method, DECAY)  # type: ignore[arg-type]
    means = []
    for _ in range(4):
        network(torch.randn(5, 2))
        network[1].running_mean = network[1].running_mean + 1  # as a module may write: not in place
        average.update(method.phases[0])
        means.append(network[1].running_mean.clone())
    with average.in_network():
        torch.testing.assert_close(network[1].running_mean, weighted(means))
        assert int(network[1].num_batches_tracked) == 4
    assert torch.equal(network[1].running_mean, means[-1])


def test_before_the_first_step_the_weights_are_the_initial_ones() -> None:
    fit = fit_of("sfnet", ema_decay=0.9)
    assert all(torch.equal(tensor, fit.weights()[name]) for name, tensor in fit.evaluated_weights().items())
