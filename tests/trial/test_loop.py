"""A training step: equal to the unfolding reference, its products counted, bf16 beside float32, dropout."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import unfold_reference
from tal_search.data.find import find, load
from tal_search.data.simulation.videos import Simulation
from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.nn import affinity, two_branch
from tal_search.types import BACKGROUND_CLICKS
from tests.support.batches import background_batch
from tests.support.golden_files import files, read
from tests.support.one_batch import BATCH, CHANNELS, CLASSES, SNIPPETS, make_fit, one_batch

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("path", files("backtal_release"), ids=lambda path: path.stem)
def test_the_unfolding_reference_has_the_golden_values(path: Path) -> None:
    golden = {key: torch.from_numpy(array) for key, array in read(path).items()}
    weights = {key[6:]: golden[key].requires_grad_() for key in golden if key.startswith("state/")}
    clicked = golden["clicks"] == golden["labels"].shape[1]
    found = unfold_reference.losses(weights, golden["features"], golden["labels"], clicked, variant="release")
    found["total"].backward()  # type: ignore[no-untyped-call]
    theirs = {"cls_base": "base", "cls_supp": "supp"}
    for key, loss in found.items():
        assert float(loss.detach()) == pytest.approx(float(golden[f"loss/{theirs.get(key, key)}"]), rel=1e-5), key
    for key, weight in weights.items():
        expected = golden[f"grad/{key}"]
        torch.testing.assert_close(weight.grad, expected, rtol=0, atol=1e-5 * float(expected.abs().max()) + 1e-9)


@pytest.mark.parametrize("variant", ["paper", "release"])
def test_steps_equal_the_unfolding_reference(variant: str) -> None:
    videos = one_batch()
    fit = make_fit(videos, variant=variant, dropout=0.0)
    reference = unfold_reference.Step(dict(fit.method.network.state_dict()), variant, dropout=0.0)
    batch = [torch.from_numpy(array) for array in (videos.features, videos.labels, videos.background_clicks)]
    for number in range(1, 4):
        theirs = reference(*batch)
        ours = fit.epoch(number)
        assert ours == pytest.approx({name: float(loss.detach()) for name, loss in theirs.items()}, rel=1e-4)
    assert set(reference.weights) == set(fit.weights())


def test_the_products_of_a_step_are_those_that_remain() -> None:
    """Three large products forward, of which x enters one; twice that backward, but for x, which needs no gradient."""
    taps, embedded = 3, 8
    fit = make_fit(one_batch(), embedding_dim=embedded)
    with FlopCounterMode(display=False) as counter:
        fit.epoch(1)
    everything, quarter = BATCH * SNIPPETS, CHANNELS // 4
    reads_x = (taps * CHANNELS + 3 * quarter + quarter) * CHANNELS * everything
    second = taps * CHANNELS * CHANNELS * 2 * everything
    small = (3 * embedded * quarter + quarter + 2 * CHANNELS * (CLASSES + 1)) * everything
    matrix = sum(count for operator, count in counter.get_flop_counts()["Global"].items() if "bmm" not in str(operator))
    assert matrix == 2 * (2 * reads_x + 3 * (second + small))


def test_the_first_product_reads_the_weights_in_place() -> None:
    network = make_fit(one_batch()).method.network
    weight = network.get_parameter("base_module.conv_1.weight")
    assert weight.shape == (CHANNELS, CHANNELS, 3)
    assert affinity.tap_rows(weight).data_ptr() == weight.data_ptr()
    state = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in network.state_dict().items()}
    network.load_state_dict(state)
    assert affinity.tap_rows(weight).data_ptr() == weight.data_ptr()
    torch.testing.assert_close(weight.detach(), state["base_module.conv_1.weight"])


@pytest.mark.parametrize("variant", ["paper", "release"])
def test_bf16_losses_stay_within_one_percent_of_float32_for_50_steps(variant: str) -> None:
    simulation = Simulation(train_videos=20, test_videos=2, channels=32)
    train = load(find("thumos14", "simulated", None, None, None, 60, simulation), "A1", (BACKGROUND_CLICKS,)).train
    fits = [make_fit(train, precision, variant=variant, dropout=0.5) for precision in ("float32", "bf16")]
    for number in range(1, 51):
        exact, mixed = (fit.epoch(number)["total"] for fit in fits)
        assert mixed == pytest.approx(exact, rel=0.01), f"step {number}"
    assert mixed != exact
    for name, weight in fits[1].method.network.state_dict().items():
        assert weight.dtype == torch.float32, name


def test_losses_and_normalisations_are_float32_under_bf16() -> None:
    fit = make_fit(one_batch())
    with torch.autocast("cpu", torch.bfloat16):
        output = fit.method.network(fit.data.features)
        losses = fit.method.losses(fit.data, "all")
    assert output.cas_base.dtype == torch.bfloat16
    assert {output.embedding.dtype, output.filter.dtype} == {torch.float32}
    length = output.embedding.norm(dim=1)
    torch.testing.assert_close(length, torch.ones_like(length))
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


@pytest.mark.parametrize("variant", ["paper", "release"])
def test_no_step_waits_for_the_device(variant: str) -> None:
    """Tensors without values stand for a GPU's: whatever would bring one to the host raises."""
    with torch.device("meta"):
        method = BackTAL(Hyperparameters(variant=variant), CHANNELS, CLASSES)
        clicked = torch.empty(BATCH, SNIPPETS, dtype=torch.bool)
        batch = background_batch(torch.empty(BATCH, CHANNELS, SNIPPETS), torch.empty(BATCH, CLASSES), clicked)
    total = method.losses(batch, "all")["total"]
    total.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in method.network.parameters())
    with pytest.raises(RuntimeError, match="meta"):
        float(total.detach())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_dropout_keeps_its_share_and_the_mean(share: float) -> None:
    torch.manual_seed(0)
    hidden = torch.ones(97, 3, 1001, requires_grad=True)
    out = two_branch.dropout(hidden, share)
    assert float((out == 0).float().mean()) == pytest.approx(share, abs=0.01)
    kept = out[out > 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - share)), rtol=1e-3, atol=0)
    out.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(hidden.grad, out.detach())


def test_dropout_is_for_training() -> None:
    fit = make_fit(one_batch(), dropout=0.7)
    network = fit.method.network.eval()
    first, again = network(fit.data.features).cas_base, network(fit.data.features).cas_base
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    network.train()
    assert not torch.equal(network(fit.data.features).cas_base, first)


@pytest.fixture
def meta(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A device of shapes without values, where all raises that would make the host wait for a GPU's values."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # knows no such device
    return torch.device("meta")


WAITING: dict[str, Callable[[torch.Tensor], object]] = {
    "item": lambda values: values.sum().item(),
    "a branch": lambda values: bool((values > 0).any()),
    "nonzero": lambda values: values.nonzero(),
    "a boolean index": lambda values: values[values > 0],
    "a copy to the host": lambda values: values.cpu(),
}


@pytest.mark.parametrize("kind", WAITING)
def test_the_device_without_values_notices_what_would_wait(meta: torch.device, kind: str) -> None:
    with pytest.raises((RuntimeError, NotImplementedError)):
        WAITING[kind](torch.zeros(3, device=meta))


OPTIONS = {"clip_norm": 1.0, "ema_decay": 0.9, "optimizer": "adamw"}


@pytest.mark.parametrize("settings", [{}, {"variant": "release"}, {"affinity": False}, OPTIONS], ids=str)
def test_a_step_on_a_gpu_never_makes_the_host_wait(meta: torch.device, settings: dict[str, object]) -> None:
    fit = make_fit(one_batch(), device=meta, **settings)  # type: ignore[arg-type]
    for optimizer in fit.optimizers.values():  # fused Adam, which knows no such device either
        optimizer.step = lambda: None  # type: ignore[method-assign, assignment]
    losses = fit.step(fit.method.phases[0], torch.arange(BATCH, device=meta))
    assert losses["total"].device == meta
    assert all(weight.grad is not None for weight in fit.method.network.parameters())
