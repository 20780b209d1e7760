"""Parity with numbers obtained from BaS-Net's released implementation (variant release), in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize, localize_many
from tal_search.methods.basnet import PRESETS, BaSNet, Hyperparameters
from tal_search.nn.batch import Batch
from tal_search.nn.losses import top_k, video_scores
from tests.support.batches import background_batch
from tests.support.golden_files import assert_close, files, read

RELATIVE = 1e-6
FRAMES = 16  # a snippet
# Names of ours beside those of the golden files.
LAYERS = {
    "filter/conv1": "filter_module.conv_1.0", "filter/conv2": "filter_module.conv_2.0",
    "cas/conv1": "base_module.conv_1", "cas/conv2": "base_module.conv_2", "cas/conv3": "classifier_module.conv",
}  # fmt: skip
INFERENCE = Inference(**PRESETS["adapted"].inference)


@pytest.fixture(params=files("basnet"), ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    return read(request.param)


def ours(name: str) -> str:
    """`cas/conv1/weight` as our network calls it."""
    layer, kind = name.rsplit("/", 1)
    return f"{LAYERS[layer]}.{kind}"


def build(golden: dict[str, np.ndarray]) -> tuple[BaSNet, Batch]:
    state = {ours(name[2:]): torch.from_numpy(golden[name]) for name in golden if name.startswith("w/")}
    hidden, channels, taps = state["base_module.conv_1.weight"].shape
    filter_hidden, classes = (
        len(state["filter_module.conv_1.0.weight"]),
        len(state["classifier_module.conv.weight"]) - 1,
    )
    method = BaSNet(
        Hyperparameters(
            variant="release", hidden_channels=hidden, filter_hidden=filter_hidden, kernel_size=taps, dropout=0.0
        ),
        channels,
        classes,
    )
    method.network.double().load_state_dict(state)
    features, labels = torch.from_numpy(golden["in/features"]).mT, torch.from_numpy(golden["in/labels"])
    return method, background_batch(features, labels, torch.zeros(features[:, 0].shape, dtype=torch.bool))


def test_outputs(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden)
    output = method.network(batch.features)
    k = top_k(1 / 8, batch.features.shape[-1])
    assert_close(output.filter[:, 0].detach(), golden["out/filter"], "filter", RELATIVE)
    for branch, cas in (("base", output.cas_base.detach()), ("supp", output.cas_supp.detach())):
        assert_close(cas.mT, golden[f"out/cas_{branch}"], f"cas_{branch}", RELATIVE)
        assert_close(video_scores(cas, k).softmax(1), golden[f"out/score_{branch}"], f"score_{branch}", RELATIVE)


def test_suppressed_branch_alone_is_the_same(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden)
    assert_close(method.network.suppressed(batch.features)[0].detach().mT, golden["out/cas_supp"], "cas_supp", RELATIVE)


@pytest.mark.parametrize(
    ("variant", "base", "supp", "gradients"),
    [("release", "base", "supp", "grad_total"), ("paper", "ce_base", "ce_supp", "grad_ce_total")],
)
def test_losses_and_gradients(
    golden: dict[str, np.ndarray], variant: str, base: str, supp: str, gradients: str
) -> None:
    """Variant paper has the released network's cross-entropy here, on the same weights with biases."""
    method, batch = build(golden)
    method.hyperparameters = replace(method.hyperparameters, variant=variant)
    losses = method.losses(batch, "all")
    total = golden[f"loss/{base}"] + golden[f"loss/{supp}"] + 1e-4 * golden["loss/norm"]
    if variant == "release":
        assert_close(golden["loss/total"], total, "total", RELATIVE)
    expected = {"cls_base": golden[f"loss/{base}"], "cls_supp": golden[f"loss/{supp}"], "norm": golden["loss/norm"]}
    for name, value in {**expected, "total": total}.items():
        assert_close(losses[name].detach(), value, name, RELATIVE)
    losses["total"].backward()
    found = {name: parameter.grad for name, parameter in method.network.named_parameters()}
    wanted = {name.removeprefix(f"{gradients}/") for name in golden if name.startswith(f"{gradients}/")}
    assert set(found) == {ours(name) for name in wanted}
    for name in wanted:
        assert_close(found[ours(name)], golden[f"{gradients}/{name}"], name, RELATIVE)


def activations(golden: dict[str, np.ndarray]) -> Activations:
    """The golden video's; there is no attention sequence, and the number of frames is not read."""
    cas = golden["detect/cas"].T[None]
    seconds = FRAMES * golden["detect/snippets"] / golden["detect/fps"]
    return Activations(
        videos=("video",), cas=cas, attention=np.zeros_like(cas[:, 0]), scores=golden["detect/scores"][None],
        duration=np.array([float(seconds)]), frames=np.ones(1, np.int64),
    )  # fmt: skip


def test_detections(golden: dict[str, np.ndarray]) -> None:
    kept = activations(golden)
    found = localize(kept, tuple(map(str, range(kept.cas.shape[1] - 1))), INFERENCE)
    table = np.column_stack([found.label, found.segment, found.score])
    assert_close(in_order(table), in_order(golden["detect/expected"]), "detections", RELATIVE)


def in_order(table: np.ndarray) -> np.ndarray:
    return table[np.lexsort(np.round(table, 6).T[::-1])]


def bumps(scores: list[float], positions: int = 10) -> Activations:
    """One video of 40 s; each class is active at one snippet, the first class at the first one."""
    classes = len(scores)
    cas = np.eye(classes + 1, positions)[None]
    return Activations(
        videos=("video",), cas=cas, attention=cas[:, 0], scores=np.array([[*scores, 0.0]]),
        duration=np.array([40.0]), frames=np.array([1000]),
    )  # fmt: skip


def test_a_video_whose_only_class_is_the_first_one_has_no_detection() -> None:
    alone, other, both = bumps([0.9, 0.1]), bumps([0.1, 0.9]), bumps([0.9, 0.4])
    found = [localize(kept, ("a", "b"), INFERENCE) for kept in (alone, other, both)]
    assert [set(detections.label.tolist()) for detections in found] == [set(), {1}, {0, 1}]
    assert len(localize(alone, ("a", "b"), replace(INFERENCE, rule="thresholds")).score) > 0
    settings = [replace(INFERENCE, class_threshold=threshold) for threshold in (0.05, 0.25)]  # share their proposals
    assert [set(one.label.tolist()) for one in localize_many(alone, ("a", "b"), settings)] == [{0, 1}, set()]


def test_a_threshold_that_the_first_position_alone_reaches_has_no_run() -> None:
    high = replace(INFERENCE, activation_low=0.97, activation_high=0.98)  # position 1 has 23/24
    assert set(localize(bumps([0.9, 0.4]), ("a", "b"), high).label.tolist()) == {1}
    lower = replace(high, activation_low=0.95)
    assert set(localize(bumps([0.9, 0.4]), ("a", "b"), lower).label.tolist()) == {0, 1}


def test_the_video_score_of_a_class_that_passes_counts_as_one() -> None:
    low, high = (localize(bumps([0.3, score]), ("a", "b"), INFERENCE) for score in (0.3, 0.7))
    assert low.score.tolist() == high.score.tolist()
    weighted = localize(bumps([0.3, 0.3]), ("a", "b"), replace(INFERENCE, score_weight=0.5, nms=1.0))
    plain = localize(bumps([0.3, 0.3]), ("a", "b"), replace(INFERENCE, nms=1.0))
    assert weighted.score - plain.score == pytest.approx(0.3)


def test_the_last_slope_goes_on_to_the_end() -> None:
    """Two snippets, 0 and 1, are i/24 at position i of 48; those from 1 on are above the first threshold."""
    rising = replace(bumps([0.1, 0.9]), cas=np.array([[[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]))
    lowest = replace(INFERENCE, activation_high=0.02, score_weight=0.0)
    found = localize(rising, ("a", "b"), lowest)
    assert found.segment == pytest.approx(np.array([[40 / 48, 40.0]]))
    assert found.score == pytest.approx(np.arange(1, 48).mean() / 24)
