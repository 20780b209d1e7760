"""SF-Net on a batch made by hand: its losses, their gradients and precision, and the clicks that it grows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from tal_search.methods.sfnet import Hyperparameters, SFNet
from tal_search.nn import sfnet
from tal_search.nn.batch import Batch

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
BATCH, CHANNELS, CLASSES, SNIPPETS = 3, 10, 4, 18
EVERYTHING = {"lambda_sep": 1.0, "beta_aff": 0.8}


def hand_made(device: torch.device = CPU, density: float = 0.1) -> Batch:
    """A batch whose last video has no click; `density` 0: none has."""
    generator = torch.Generator().manual_seed(1)
    clicks = torch.rand(BATCH, CLASSES, SNIPPETS, generator=generator) < density
    clicks[-1] = False
    labels = torch.ones(BATCH, CLASSES) * (density > 0)
    return Batch(
        rows=torch.arange(BATCH, device=device),
        features=torch.randn(BATCH, CHANNELS, SNIPPETS, generator=generator).to(device),
        labels=labels.to(device),
        background_clicks=torch.zeros(BATCH, SNIPPETS, dtype=torch.bool, device=device),
        action_clicks=clicks.to(device),
        segments=torch.zeros(BATCH, 0, 2, device=device),
        segment_labels=torch.zeros(BATCH, 0, dtype=torch.int64, device=device),
    )


def make_method(**hyperparameters: object) -> SFNet:
    torch.manual_seed(0)
    return SFNet(Hyperparameters(dropout=0.0, **hyperparameters), CHANNELS, CLASSES)  # type: ignore[arg-type]


def detached(method: SFNet, batch: Batch) -> dict[str, float]:
    return {name: float(loss.detach()) for name, loss in method.losses(batch, "all").items()}


@pytest.mark.parametrize("switches", [{}, EVERYTHING, {"lambda_act": 0.0}, {"eta": 0.0}, {"variant": "release"}])
def test_every_loss_is_in_the_total_and_reaches_every_parameter(switches: dict[str, float]) -> None:
    method = make_method(**switches)
    losses = method.losses(hand_made(), "all")
    weights = {"background": 1 / (CLASSES + 1), "aff": 0.8}
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    expected = sum(value * weights.get(name, 1.0) for name, value in values.items() if name != "total")
    assert values["total"] == pytest.approx(expected, rel=1e-5)
    assert ("sep" in losses) == ("aff" in losses) == ("beta_aff" in switches)
    assert ("actionness" in losses) == (switches.get("lambda_act") != 0)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in method.network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


@pytest.mark.parametrize(("variant", "kept"), [("paper", True), ("release", False)])
def test_the_release_leaves_a_small_actionness_loss_out_of_the_total(variant: str, kept: bool) -> None:
    method, batch = make_method(variant=variant, lambda_act=3.0, eta=0.0), hand_made()
    with torch.no_grad():
        method.network.get_parameter("actionness_weights").fill_(1)
        for stream in method.network.streams:
            stream.actionness_classifier.weight.zero_()
            stream.actionness_classifier.bias.fill_(4)  # −log σ(4) = .018, of the sum .0003
    losses = method.losses(batch, "all")
    assert 0.01 < float(losses["actionness"].detach()) < 0.1
    assert "actionness" in losses, "it is logged all the same"
    rest = losses["video"] + losses["frame"] + losses["background"] / (CLASSES + 1)
    expected = rest + 3 * losses["actionness"] if kept else rest
    assert float(losses["total"].detach()) == pytest.approx(float(expected.detach()), rel=1e-6)


def test_without_mining_no_background_is_learnt_from() -> None:
    losses = detached(make_method(eta=0.0, **EVERYTHING), hand_made())
    assert losses["background"] == losses["sep"] == losses["aff"] == 0
    assert losses["frame"] > 0


def test_separation_and_affinity_need_the_mined_background() -> None:
    losses = detached(make_method(**EVERYTHING), hand_made())
    assert min(losses["sep"], losses["aff"], losses["background"]) > 0


def test_a_mined_snippet_is_not_of_the_affinity_losss_action_group() -> None:
    """Every snippet without a click is mined here, so the action group is the clicked ones of the highest."""
    method, batch = make_method(eta=100.0, **EVERYTHING), hand_made()
    with torch.no_grad():
        output, found = method.network(batch.features), method.losses(batch, "all")["aff"]
    terms = []
    for b in range(BATCH - 1):
        clicked = batch.action_clicks[b].any(0)
        highest = output.cas[-1][b, :-1].topk(math.ceil(SNIPPETS / 8), dim=1).indices
        action = [t for t in range(SNIPPETS) if clicked[t] and (highest == t).any()]
        background = [t for t in range(SNIPPETS) if not clicked[t]]
        cosine = (output.embedding[b].T @ output.embedding[b]).tolist()
        assert action
        term = max(0.0, max(cosine[u][v] for u in action for v in background) - 0.1)
        for group in (action, background):
            term += max([max(0.0, 0.5 - cosine[u][v]) for u in group for v in group if u != v], default=0.0)
        terms.append(term)
    assert float(found) == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_a_batch_without_clicks_and_labels_has_zero_losses_that_can_be_minimised() -> None:
    method = make_method(**EVERYTHING)
    losses = method.losses(hand_made(density=0.0), "all")
    assert {float(loss.detach()) for loss in losses.values()} == {0.0}
    losses["total"].backward()  # type: ignore[no-untyped-call]
    assert all(bool(parameter.grad.isfinite().all()) for parameter in method.network.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("variant", ["paper", "release"])
def test_no_step_waits_for_the_device(variant: str) -> None:
    """Tensors without values stand for a GPU's: whatever would bring one to the host raises."""
    with torch.device("meta"):
        method = SFNet(Hyperparameters(variant=variant, **EVERYTHING), CHANNELS, CLASSES)  # type: ignore[arg-type]
    batch = hand_made(torch.device("meta"))
    method.losses(batch, "all")["total"].backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in method.network.parameters())


def test_losses_and_the_embedding_are_float32_under_bf16() -> None:
    method, batch = make_method(**EVERYTHING), hand_made()
    exact = detached(method, batch)
    with torch.autocast("cpu", torch.bfloat16):
        output, losses = method.network(batch.features), method.losses(batch, "all")
    assert output.cas[0].dtype == torch.bfloat16
    assert output.embedding is not None
    torch.testing.assert_close(output.embedding.norm(dim=1), torch.ones(BATCH, SNIPPETS))
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert float(losses["total"].detach()) == pytest.approx(exact["total"], rel=0.02)


def test_the_fused_sequences_weigh_the_streams() -> None:
    network = make_method().network.eval()
    features = hand_made().features
    rgb, flow, fused = network(features).cas
    torch.testing.assert_close(fused, rgb + flow)
    assert not network(features).actionness[2].any()
    with torch.no_grad():
        network.get_parameter("class_weights")[1] = 0
        network.get_parameter("actionness_weights")[0] = 1
    only = features.clone()
    only[:, CHANNELS // 2 :] = 0  # the second half of the channels is the flow
    output = network(only)
    torch.testing.assert_close(output.cas[2], rgb)
    torch.testing.assert_close(output.actionness[2], network(features).actionness[0])


def test_the_rows_grown_clicks_are_kept_by_are_the_training_sets() -> None:
    """Some videos are held out, and batches are shuffled."""
    method, batch = make_method(epochs=8), hand_made()
    method.network.eval()
    rows = torch.tensor([5, 0, 3])

    def batches() -> Iterator[Batch]:
        yield replace(batch, rows=rows)

    with torch.no_grad():
        asked = [method.prepare(number, batches) for number in range(1, 9)]
    assert asked == [number == 3 for number in range(1, 9)]
    grown = sfnet.expanded(method.network(batch.features).cas[-1][:, :-1], batch.action_clicks, 3, 0.95)
    assert method.memory["clicks"].shape == (6, CLASSES, SNIPPETS)
    assert torch.equal(method.memory["clicks"][rows], grown)
    assert not method.memory["clicks"][[1, 2, 4]].any()


def grown_on_two_lengths() -> tuple[SFNet, torch.Tensor]:
    """A method that grew the clicks of rows 1 (9 snippets) and 3 (18), in batches of one; and the clicks that grew."""
    method, batch = make_method(epochs=4, expand_score=0.0), hand_made(density=0.2)
    method.network.eval()
    parts = [(1, 0, 9), (3, 1, SNIPPETS)]  # row, place in the batch, snippets

    def batches() -> Iterator[Batch]:
        for row, place, end in parts:
            cut = slice(place, place + 1)
            yield replace(
                batch, rows=torch.tensor([row]), features=batch.features[cut, :, :end], labels=batch.labels[cut],
                action_clicks=batch.action_clicks[cut, :, :end],
            )  # fmt: skip

    with torch.no_grad():
        assert method.prepare(2, batches)
    expected = torch.zeros(4, CLASSES, SNIPPETS, dtype=torch.bool)
    for row, place, end in parts:
        cas = method.network(batch.features[place : place + 1, :, :end]).cas[-1][:, :-1]
        expected[row, :, :end] = sfnet.expanded(cas, batch.action_clicks[place : place + 1, :, :end], 3, 0.0)[0]
        assert int(expected[row].sum()) > int(batch.action_clicks[place, :, :end].sum())
    return method, expected


def test_grown_clicks_are_kept_by_stored_snippet_and_gathered_by_position() -> None:
    method, grown = grown_on_two_lengths()
    assert torch.equal(method.memory["clicks"], grown)
    position = torch.tensor([[7, 8, -1, -1, -1], [4, 5, 6, 7, 8]])
    crops = replace(
        hand_made(), rows=torch.tensor([1, 3]), features=torch.zeros(2, CHANNELS, 5), position=position,
        length=torch.tensor([2, 5]), action_clicks=torch.zeros(2, CLASSES, 5, dtype=torch.bool),
    )  # fmt: skip
    clicks = method.clicks_of(crops)
    assert clicks.shape == (2, CLASSES, 5)
    assert torch.equal(clicks[0, :, :2], grown[1, :, 7:9])
    assert not clicks[0, :, 2:].any(), "padding has no click"
    assert torch.equal(clicks[1], grown[3, :, 4:9])
    assert clicks.any()


def test_a_click_on_a_snippet_that_is_not_taken_stays_on_the_nearest_one() -> None:
    method, grown = grown_on_two_lengths()
    given = torch.zeros(1, CLASSES, 2, dtype=torch.bool)
    given[0, 1, 0] = True
    sampled = replace(
        hand_made(), rows=torch.tensor([3]), features=torch.zeros(1, CHANNELS, 2), action_clicks=given,
        position=torch.tensor([[2, 11]]),
    )  # fmt: skip
    assert torch.equal(method.clicks_of(sampled), given | grown[[3]][..., [2, 11]])


def test_streams_of_unequal_widths_read_their_own_channels() -> None:
    torch.manual_seed(0)
    method = SFNet(Hyperparameters(dropout=0.0), CHANNELS, CLASSES, (3, 7))
    features = hand_made().features
    changed = features.clone()
    changed[:, 3:] += 1
    before, after = method.network(features), method.network(changed)
    torch.testing.assert_close(before.cas[0], after.cas[0])
    torch.testing.assert_close(before.actionness[0], after.actionness[0])
    assert not torch.allclose(before.cas[1], after.cas[1])
