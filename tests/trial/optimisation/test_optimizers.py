"""Adam and AdamW: which weights decay, and how; and the clipping of a phase's gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tal_search.methods import available, specification
from tal_search.trial.optimisation.optimizers import clip_gradients, decayed_names, make_optimizer, phase_parameters
from tests.support.one_batch import make_fit, one_batch
from tests.support.optimised_fits import fit_of

pytestmark = pytest.mark.usefixtures("one_thread")

# Weights that do not decay and are no bias, by method; of pyramids all but the norms.
SPARED = {
    "actionformer": {"scales", *(f"encoder.blocks.{block}.scales" for block in range(7))},
    "asl": {"pyramid.scales", "of_class.means", "of_class.log_deviations"},
    "representative": {"prototypes"},
    "sfnet": {"class_weights", "actionness_weights"},
}


@pytest.mark.parametrize("name", available())
def test_weights_of_layers_decay_and_biases_norms_and_scales_do_not(name: str) -> None:
    settings = {"beta_aff": 0.5} if name == "sfnet" else {}  # with its embedding
    network = specification(name).build(settings, 16, 4).network
    decayed, parameters = decayed_names(network), dict(network.named_parameters())
    assert decayed <= parameters.keys()
    assert all(key.endswith("weight") and parameters[key].dim() > 1 for key in decayed)
    norms = {f"{key}.weight" for key, module in network.named_modules() if isinstance(module, nn.LayerNorm)}
    spared = {key for key in parameters.keys() - decayed if not key.endswith("bias")}
    assert spared == SPARED.get(name, set()) | norms
    assert bool(norms) is (name in ("actionformer", "asl"))


def test_layers_of_an_own_method_decay_too() -> None:
    network = nn.ModuleDict(
        {
            "attention": nn.MultiheadAttention(4, 2), "recurrent": nn.GRU(4, 4), "norm": nn.GroupNorm(2, 4),
            "embedding": nn.Embedding(3, 4), "conv": nn.Conv2d(1, 4, 3), "batch": nn.BatchNorm1d(4),
        }
    )  # fmt: skip
    assert decayed_names(network) == {
        "attention.in_proj_weight", "attention.out_proj.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0",
        "conv.weight",
    }  # fmt: skip
    assert decayed_names(nn.Linear(2, 2)) == {"weight"}


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_three_steps_equal_the_published_update(optimizer: str) -> None:
    """Adam adds wd · w to the gradient of every weight; AdamW takes lr · wd · w from those that decay."""
    rate, decay, betas = 0.01, 0.5, (0.9, 0.999)
    fit = make_fit(one_batch(), optimizer=optimizer, weight_decay=decay, learning_rate=rate, variant="release")
    fit.method.network = network = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)).double()
    step = make_optimizer(fit.method, fit.method.phases[0])
    random = torch.Generator().manual_seed(0)
    named = dict(network.named_parameters())
    ours = {name: tensor.detach().clone() for name, tensor in named.items()}
    moments = {name: (torch.zeros_like(tensor), torch.zeros_like(tensor)) for name, tensor in ours.items()}
    for number in range(1, 4):
        for name, tensor in named.items():
            tensor.grad = torch.randn(tensor.shape, generator=random, dtype=torch.float64)
            first, second = moments[name]
            gradient = tensor.grad + (decay * ours[name] if optimizer == "adam" else 0)
            if optimizer == "adamw" and name == "0.weight":
                ours[name] -= rate * decay * ours[name]
            first.mul_(betas[0]).add_((1 - betas[0]) * gradient)
            second.mul_(betas[1]).add_((1 - betas[1]) * gradient**2)
            size = (second / (1 - betas[1] ** number)).sqrt() + 1e-8
            ours[name] -= rate * first / (1 - betas[0] ** number) / size
        step.step()
        for name, tensor in named.items():
            torch.testing.assert_close(tensor.detach(), ours[name], msg=name)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_each_phase_has_an_optimizer_of_its_parameters_at_its_rate(optimizer: str) -> None:
    fit = fit_of("dgam", optimizer=optimizer, learning_rate_cvae=2e-3)
    for phase, rate in zip(fit.method.phases, (2e-3, 1e-3), strict=True):
        groups = fit.optimizers[phase.name].param_groups
        held = [id(tensor) for group in groups for tensor in group["params"]]
        assert len(held) == len(set(held))
        assert set(held) == {id(tensor) for tensor in phase_parameters(fit.method, phase).values()}
        assert {(group["lr"], tuple(group["betas"])) for group in groups} == {(rate, (0.8, 0.999))}


@pytest.mark.parametrize("most", [0.5, 1e9])
def test_a_gradient_is_scaled_as_a_whole_to_its_greatest_norm(most: float) -> None:
    fit = make_fit(one_batch())
    fit.method.losses(fit.data, "all")["total"].backward()  # type: ignore[no-untyped-call]
    gradients = [weight.grad for weight in fit.method.network.parameters() if weight.grad is not None]
    before = torch.cat([gradient.flatten() for gradient in gradients]).clone()
    norm = clip_gradients(fit.optimizers["all"], most)
    assert float(norm) == pytest.approx(float(before.norm()))
    after = torch.cat([gradient.flatten() for gradient in gradients])
    if most > norm:
        assert torch.equal(after, before)
    else:
        torch.testing.assert_close(after, before * most / before.norm())
