"""DGAM: its losses against the equations and torch.distributions, its phases, its streams, and that it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tal_search.data.simulation.videos import Simulation, simulate
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.methods.dgam import DGAM, PRESETS, Hyperparameters
from tal_search.metrics.average_precision import score
from tal_search.nn.batch import Batch
from tal_search.trial.loop import Fit
from tal_search.types import VideoSet
from tests.support.batches import background_batch

pytestmark = pytest.mark.usefixtures("one_thread")

BATCH, CHANNELS, CLASSES, SNIPPETS, LATENT = 3, 8, 4, 15, 6
STREAMS = ("rgb", "flow")
TERMS = {"cvae": ("vae", "kl"), "attention": ("fg", "bg", "re", "guide")}


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def draw_labels(seed: int) -> Tensor:
    """[B, C], every video with one class or more."""
    labels = (draw(seed, BATCH, CLASSES) > 0.5).double()
    labels[torch.arange(BATCH), torch.arange(BATCH)] = 1
    return labels


def make_method(channels: int = CHANNELS, **settings: Any) -> DGAM:
    torch.manual_seed(0)
    return DGAM(Hyperparameters(attention_hidden=5, latent=LATENT, **settings), channels, CLASSES)


def make_batch(seed: int = 0) -> Batch:
    clicks = torch.zeros(BATCH, SNIPPETS, dtype=torch.bool)
    return background_batch(draw(seed, BATCH, CHANNELS, SNIPPETS).float(), draw_labels(seed).float(), clicks)


@pytest.mark.parametrize("level", [-1e4, 1e4])
@pytest.mark.parametrize("variant", ["paper", "release"])
def test_attention_of_zero_or_one_everywhere_divides_by_no_zero(level: float, variant: str) -> None:
    method, batch = make_method(variant=variant), make_batch()
    for stream in (method.network.rgb, method.network.flow):
        with torch.no_grad():
            stream.attention[2].bias.fill_(level)
    losses = method.losses(batch, "attention")
    losses["total"].backward()
    output = method.network(batch.features)["rgb"]
    assert set(output.attention.unique().tolist()) == {float(level > 0)}
    empty = output.background if level > 0 else output.foreground
    torch.testing.assert_close(empty, method.network.rgb.classifier.bias.expand(BATCH, -1))
    assert all(loss.isfinite() for loss in losses.values())
    assert all(w.grad is None or w.grad.isfinite().all() for w in method.network.parameters())
    assert all(np.isfinite(array).all() for array in method.activations(make_videos()).arrays().values())


@pytest.mark.parametrize("phase", ["cvae", "attention"])
def test_each_phase_trains_its_own_parameters_only(phase: str) -> None:
    method = make_method()
    losses = method.losses(make_batch(), phase)
    assert set(losses) == {f"{term}_{stream}" for term in TERMS[phase] for stream in STREAMS} | {"total"}
    losses["total"].backward()
    prefixes = next(one.parameters for one in method.phases if one.name == phase)
    for name, weight in method.network.named_parameters():
        reached = weight.grad is not None and bool(weight.grad.any())
        assert reached == name.startswith(prefixes), name


def test_the_two_phases_share_out_all_parameters() -> None:
    prefixes = [phase.parameters for phase in DGAM.phases]
    for name, _ in make_method().network.named_parameters():
        assert sum(name.startswith(of_phase) for of_phase in prefixes) == 1, name


@pytest.mark.parametrize("stream", STREAMS)
def test_reconstruction_and_guidance_move_the_attention_and_not_the_classifier(stream: str) -> None:
    method = make_method()
    method.network.train()
    for term in ("re", "guide"):
        method.network.zero_grad()
        method.losses(make_batch(), "attention")[f"{term}_{stream}"].backward()
        moved = {name for name, weight in method.network.named_parameters() if weight.grad is not None}
        assert moved == {f"{stream}.attention.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")}


def test_total_is_the_weighted_sum_and_reconstruction_is_ramped() -> None:
    weights = {"alpha_bg": 0.2, "gamma_re_rgb": 0.7, "gamma_re_flow": 0.4, "gamma_guide": 0.3, "beta_kl": 0.6}
    method = make_method(ramp_epochs=8, fg_weight_rgb=1.5, fg_weight_flow=0.9, **weights)
    for epoch, ramp in ((1, 1 / 8), (4, 1 / 2), (8, 1.0), (20, 1.0)):
        assert method.prepare(epoch, lambda: iter(())) is False
        loss = {name: value.detach() for name, value in method.losses(make_batch(), "attention").items()}
        of_stream = [
            fg * loss[f"fg_{name}"] + 0.2 * loss[f"bg_{name}"] + ramp * gamma * loss[f"re_{name}"]
            + 0.3 * loss[f"guide_{name}"]
            for name, fg, gamma in (("rgb", 1.5, 0.7), ("flow", 0.9, 0.4))
        ]  # fmt: skip
        torch.testing.assert_close(loss["total"], sum(of_stream))


@pytest.mark.parametrize(("variant", "weights"), [("paper", (1.0, 1.0)), ("release", (2.5, 10.0))])
def test_the_release_ramps_the_loss_of_the_vae_to_ten_times_the_papers(
    variant: str, weights: tuple[float, float]
) -> None:
    method = make_method(ramp_epochs=8, beta_kl=0.6, variant=variant)
    for epoch, weight in zip((2, 20), weights, strict=True):
        method.prepare(epoch, lambda: iter(()))
        loss = method.losses(make_batch(), "cvae")
        plain = loss["vae_rgb"] + loss["vae_flow"] + 0.6 * (loss["kl_rgb"] + loss["kl_flow"])
        torch.testing.assert_close(loss["total"], weight * plain)


def make_videos() -> VideoSet:
    return VideoSet.labelled(
        videos=tuple(f"video_{number}" for number in range(BATCH)),
        features=draw(3, BATCH, CHANNELS, SNIPPETS).float().numpy(),
        labels=draw_labels(3).float().numpy(),
        duration=np.full(BATCH, 30.0),
        frames=np.full(BATCH, 300),
    )


@pytest.mark.parametrize("variant", ["paper", "release"])
def test_activations_are_those_of_each_stream_and_their_mean(variant: str) -> None:
    """The class probabilities are of the plain weighted mean in both variants."""
    method, videos = make_method(variant=variant), make_videos()
    method.network.eval()
    found = method.activations(videos)
    halves = np.split(videos.features, 2, axis=1)
    cas, attention, scores = [], [], []
    for place, (stream, half) in enumerate(zip((method.network.rgb, method.network.flow), halves, strict=True)):
        x = torch.from_numpy(half.transpose(0, 2, 1).copy())
        weight = stream.attention(x).sigmoid()
        sequence = (x @ stream.classifier.weight.T).sigmoid()
        pooled = (weight * x).sum(1) / weight.sum(1)
        cas.append((weight * sequence).detach().numpy().transpose(0, 2, 1))
        attention.append(weight[..., 0].detach().numpy())
        scores.append(stream.classifier(pooled).softmax(1).detach().numpy())
        assert found.stream_cas is not None
        expected = sequence[..., :-1].detach().numpy().transpose(0, 2, 1)
        np.testing.assert_allclose(found.stream_cas[:, place], expected, atol=1e-6)
    pairs = [
        (found.cas, np.mean(cas, 0)),
        (found.attention, np.mean(attention, 0)),
        (found.scores, np.mean(scores, 0)),
        (found.stream_attention, np.stack(attention, 1)),
        (found.stream_scores, np.stack(scores, 1)[..., :-1]),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_class_probabilities_are_of_the_mean_however_little_the_attention_is() -> None:
    """All of an attention of 1e-13, and none of it: there is no guard that would fade them to the bias."""
    method, videos = make_method(), make_videos()
    logits = {}
    for level in (0.0, -30.0):
        for stream in (method.network.rgb, method.network.flow):
            with torch.no_grad():
                stream.attention[2].weight.zero_()
                stream.attention[2].bias.fill_(level)
        logits[level] = method.activations(videos).stream_scores
    np.testing.assert_allclose(logits[-30.0], logits[0.0], rtol=1e-4)


def test_an_odd_number_of_channels_is_refused() -> None:
    said = r"features have 7 channels, not 3 of RGB and 3 of flow; give dataset\.streams"
    with pytest.raises(InputError, match=said):
        make_method(channels=7)


@pytest.mark.parametrize("phase", ["cvae", "attention"])
def test_no_step_waits_for_the_device(phase: str) -> None:
    """Tensors without values stand for a GPU's: whatever would bring one to the host raises."""
    with torch.device("meta"):
        method = make_method()
        clicks = torch.empty(BATCH, SNIPPETS, dtype=torch.bool)
        batch = background_batch(torch.empty(BATCH, CHANNELS, SNIPPETS), torch.empty(BATCH, CLASSES), clicks)
        total = method.losses(batch, phase)["total"]
    total.backward()
    with pytest.raises(RuntimeError, match="meta"):
        float(total.detach())


@pytest.mark.parametrize("phase", ["cvae", "attention"])
def test_losses_are_float32_under_bf16(phase: str) -> None:
    method, batch = make_method(), make_batch()
    method.network.eval()
    exact = method.losses(batch, phase)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = method.losses(batch, phase)
    for name, loss in mixed.items():
        assert loss.dtype == torch.float32, name
        assert float(loss.detach()) == pytest.approx(float(exact[name].detach()), rel=0.03), name
    assert float(mixed["total"].detach()) != float(exact["total"].detach())


def make_fit(videos: VideoSet, **settings: Any) -> Fit:
    torch.manual_seed(0)
    method = DGAM(Hyperparameters(**settings), videos.features.shape[1], videos.labels.shape[1])
    return Fit(method, videos, np.arange(len(videos.videos)), seed=0, precision="float32", device=torch.device("cpu"))


def test_a_fit_continued_from_its_state_repeats_an_uninterrupted_one() -> None:
    whole, first, second = (make_fit(make_videos(), batch_size=2, ramp_epochs=4) for _ in range(3))
    losses = [whole.epoch(number) for number in range(1, 5)]
    assert [first.epoch(number) for number in (1, 2)] == losses[:2]
    second.load_state(first.state())
    assert [second.epoch(number) for number in (3, 4)] == losses[2:]


def test_each_phase_has_its_own_learning_rate() -> None:
    fit = make_fit(make_videos(), learning_rate=0.3, learning_rate_cvae=0.2)
    assert {name: one.param_groups[0]["lr"] for name, one in fit.optimizers.items()} == {"cvae": 0.2, "attention": 0.3}


def test_a_short_fit_learns_to_localize() -> None:
    data = simulate(Simulation(train_videos=60, test_videos=30, channels=32), 80)
    fit = make_fit(
        data.train,
        attention_hidden=32,
        latent=16,
        batch_size=8,
        ramp_epochs=6,
        learning_rate=6e-2,
        learning_rate_cvae=5e-3,
    )
    inference = Inference(**PRESETS["simulated"].inference)

    def mAP() -> float:
        detections = fit.method.detect(data.test, data.classes, inference)
        return score(data.test_truth, detections, (0.5,), subset="test").mAP[0]

    untrained = mAP()
    for number in range(1, 13):
        fit.epoch(number)
    assert mAP() > untrained + 0.1
