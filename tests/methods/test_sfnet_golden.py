"""SF-Net against numbers obtained from its released implementation, in float64 (tests/fixtures/golden/README.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.methods.sfnet import PRESETS, RELEASED_GUARD, Hyperparameters, SFNet
from tal_search.nn import sfnet
from tal_search.nn.batch import Batch
from tal_search.types import VideoSet
from tests.support.golden_files import assert_close, files, read

RELATIVE = 1e-6
STREAMS = ("rgb", "flow", "fused")
# Names of ours beside those of the golden files.
LAYERS = {
    "class_head.0": "class_head/linear1",
    "class_head.2": "class_head/linear2",
    "classifier": "class_head/classifier",
    "actionness_head.0": "actionness_head/conv1",
    "actionness_head.2": "actionness_head/conv2",
    "actionness_classifier": "actionness_head/linear",
}
RULE = Inference(**PRESETS["adapted"].inference)
STRIDE = 16  # frames a snippet


@pytest.fixture(params=files("sfnet"), ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    return read(request.param)


def classes_last(array: np.ndarray, axis: int = 0) -> np.ndarray:
    """Background is class 0 in the files, and the last one here."""
    return np.roll(array, -1, axis)


def named(golden: dict[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    """Weights, or gradients, under our names and in our shapes; those that the file has."""
    found: dict[str, np.ndarray] = {}
    for index, stream in enumerate(STREAMS[:2]):
        for ours, theirs in LAYERS.items():
            for kind in ("weight", "bias"):
                if f"{prefix}/{stream}/{theirs}/{kind}" in golden:
                    array = golden[f"{prefix}/{stream}/{theirs}/{kind}"]
                    array = array[:, :, None] if kind == "weight" and array.ndim == 2 else array
                    found[f"streams.{index}.{ours}.{kind}"] = classes_last(array) if ours == "classifier" else array
    for ours, theirs in (("class_weights", "class_fusion"), ("actionness_weights", "actionness_fusion")):
        if f"{prefix}/rgb/{theirs}" in golden:
            both = np.stack([golden[f"{prefix}/{stream}/{theirs}"] for stream in STREAMS[:2]])
            found[ours] = classes_last(both, 1)[:, :, None] if ours == "class_weights" else both[:, 0]
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in found.items()}


def build(golden: dict[str, np.ndarray], **hyperparameters: Any) -> tuple[SFNet, Batch]:
    """The method with the file's weights, in float64, and its batch."""
    features = torch.from_numpy(golden["in/features"]).mT.contiguous()
    labels, clicks = torch.from_numpy(golden["in/labels"]), torch.from_numpy(golden["in/clicks"])
    hidden = len(golden["w/rgb/class_head/linear1/bias"])
    hp = Hyperparameters(hidden_channels=hidden, **hyperparameters)
    method = SFNet(hp, features.shape[1], labels.shape[1])
    method.network.double().eval()
    weights = {name: weight for name, weight in named(golden, "w").items() if hp.lambda_act or "actionness" not in name}
    method.network.load_state_dict(weights)
    count, _, snippets = features.shape
    batch = Batch(
        rows=torch.arange(count), features=features, labels=labels, action_clicks=clicks,
        background_clicks=torch.zeros(count, snippets, dtype=torch.bool), segments=torch.zeros(count, 0, 2),
        segment_labels=torch.zeros(count, 0, dtype=torch.int64),
    )  # fmt: skip
    return method, batch


def compare(ours: torch.Tensor, theirs: np.ndarray, name: str) -> None:
    assert_close(ours.detach(), theirs, name, RELATIVE)


def compare_gradients(method: SFNet, total: torch.Tensor, golden: dict[str, np.ndarray], prefix: str) -> None:
    """Each weight's gradient by itself; the fusion weights' are float32 in the files."""
    total.backward()  # type: ignore[no-untyped-call]
    expected = named(golden, prefix)
    parameters = dict(method.network.named_parameters())
    assert expected.keys() == parameters.keys()
    for name, parameter in parameters.items():
        assert parameter.grad is not None, name
        compare(parameter.grad, expected[name].numpy(), f"{prefix}/{name}")


def test_outputs(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden)
    output = method.network(batch.features)
    for stream, cas, actionness in zip(STREAMS, output.cas, output.actionness, strict=True):
        compare(cas.mT, classes_last(golden[f"out/cas_{stream}"], 2), f"cas_{stream}")
        compare(actionness, golden[f"out/actionness_{stream}"], f"actionness_{stream}")


def test_every_loss_of_the_release(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden, variant="release")
    losses = method.losses(batch, "all")
    by_stream = method.stream_terms(method.network(batch.features), batch.labels, batch.action_clicks)
    assert losses.keys() - {"total"} == by_stream.keys()
    for name, parts in by_stream.items():
        compare(losses[name], golden[f"loss/{name}"], name)
        for stream, part in zip(STREAMS, parts, strict=True):
            compare(part, golden[f"loss/{name}_{stream}"], f"{name}_{stream}")
    compare(losses["total"], golden["loss/total"], "total")


def test_gradient_of_the_releases_total(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden, variant="release")
    compare_gradients(method, method.losses(batch, "all")["total"], golden, "grad_total")


def test_gradient_without_actionness(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden, variant="release", lambda_act=0.0)
    compare_gradients(method, method.losses(batch, "all")["total"], golden, "grad_classes")


def test_the_papers_actionness_loss_and_gradient(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden, variant="paper")
    losses = method.losses(batch, "all")
    compare(losses["actionness"], golden["loss/actionness_hardest"], "actionness_hardest")
    clicked = batch.action_clicks.any(1)
    guarded = [
        sfnet.actionness_loss(logits, clicked, sfnet.mined(logits, clicked, 7.0), RELEASED_GUARD)
        for logits in method.network(batch.features).actionness
    ]
    compare(torch.stack(guarded).sum(), golden["loss/actionness_hardest_guarded"], "actionness_hardest_guarded")
    compare_gradients(method, losses["total"], golden, "grad_total_hardest")


def test_clicks_grow_as_released(golden: dict[str, np.ndarray]) -> None:
    hp = Hyperparameters(variant="release")
    cas = torch.from_numpy(classes_last(golden["expand/cas"], 1)[:, :-1].T[None].copy())
    clicks = torch.from_numpy(golden["expand/clicks"])[None]
    grown = sfnet.expanded_as_released(cas, clicks, hp.expand_radius, hp.expand_score)
    assert np.array_equal(grown[0].numpy(), golden["expand/expected"])


class Replayed(torch.nn.Module):
    """A network that gives the file's sequences, whatever it reads."""

    def __init__(self, golden: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.anywhere = torch.nn.Parameter(torch.zeros(1))
        self.cas = torch.from_numpy(classes_last(golden["detect/cas"], 1).T[None].copy())
        self.actionness = torch.from_numpy(golden["detect/actionness"])[None]

    def forward(self, features: torch.Tensor) -> sfnet.Output:
        assert features.shape[-1] == self.cas.shape[-1]
        return sfnet.Output(cas=(self.cas,), actionness=(self.actionness,), embedding=None)


def test_detections(golden: dict[str, np.ndarray]) -> None:
    """On a video of as many snippets as it has natively, so that its T snippets last T · 16 frames."""
    network = Replayed(golden)
    _, channels, snippets = network.cas.shape
    classes = channels - 1
    method = SFNet(Hyperparameters(), 2, classes)
    method.network = network
    video = VideoSet.labelled(
        videos=("v",), features=np.zeros((1, 2, snippets), np.float32), labels=np.ones((1, classes), np.float32),
        duration=np.array([STRIDE * snippets / float(golden["detect/fps"])]), frames=np.array([STRIDE * snippets]),
    )  # fmt: skip
    found = localize(method.activations(video), tuple(f"class {index}" for index in range(classes)), RULE)
    ours = np.column_stack([found.label, found.segment, found.score])
    theirs = golden["detect/expected"]
    assert len(ours) == len(theirs)
    ours, theirs = (rows[np.lexsort((rows[:, 1], rows[:, 0]))] for rows in (ours, theirs))
    for column, name in enumerate(("class", "start", "end", "score")):
        assert_close(ours[:, column], theirs[:, column], name, RELATIVE)
