"""Parity with numbers obtained from the released DGAM implementation (variant release), in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tal_search.localization.inference import Inference
from tal_search.methods.dgam import DGAM, RELEASED_CVAE_WEIGHT, RULE, Hyperparameters
from tal_search.nn.batch import Batch
from tal_search.types import Detections, VideoSet
from tests.support.batches import background_batch
from tests.support.golden_files import assert_close, files, read

pytestmark = pytest.mark.usefixtures("one_thread")

RELATIVE = 1e-6
STREAMS = ("rgb", "flow")
# Where each weight of the golden files is in ours.
MODULES = {
    "classifier": "classifier",
    "attention/linear1": "attention.0",
    "attention/linear2": "attention.2",
    **{
        f"{half}/linear{layer}": f"cvae.{half}.{2 * layer - 2}"
        for half in ("encoder", "decoder")
        for layer in (1, 2, 3)
    },
}
# Losses of ours by those of the golden files, without stream.
LOSSES = {
    "cvae": {"cvae_mse": "vae", "cvae_kl": "kl"},
    "attention": {"fg": "fg", "bg": "bg", "guide": "guide", "recon": "re"},
}
INFERENCE = Inference(**{**RULE, "lone_first_class": "dropped"})


@pytest.fixture(params=files("dgam"), ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    return read(request.param)


def our_name(theirs: str) -> str:
    """rgb/attention/linear1/weight → rgb.attention.0.weight."""
    stream, rest = theirs.split("/", 1)
    module, kind = rest.rsplit("/", 1)
    return f"{stream}.{MODULES[module]}.{kind}"


def build(golden: dict[str, np.ndarray]) -> DGAM:
    """The released network; its VAE's weight is 1 at epoch 30 of 300, which the files are at."""
    hidden, channels = golden["w/rgb/attention/linear1/weight"].shape
    latent, classes = golden["w/rgb/encoder/linear1/weight"].shape[0], golden["w/rgb/classifier/weight"].shape[0] - 1
    method = DGAM(Hyperparameters(variant="release", attention_hidden=hidden, latent=latent), 2 * channels, classes)
    method.network.double()
    weights = {our_name(name[2:]): torch.from_numpy(golden[name]) for name in golden if name.startswith("w/")}
    method.network.load_state_dict(weights)
    return method


def batch_of(golden: dict[str, np.ndarray]) -> Batch:
    features = np.concatenate([golden[f"in/features_{name}"] for name in STREAMS], axis=2).transpose(0, 2, 1)
    clicks = torch.zeros(features.shape[0], features.shape[2], dtype=torch.bool)
    return background_batch(torch.from_numpy(features), torch.from_numpy(golden["in/labels"]), clicks)


def give_noise(method: DGAM, golden: dict[str, np.ndarray], kind: str, patch: pytest.MonkeyPatch) -> None:
    for name in STREAMS:
        noise = torch.from_numpy(golden[f"in/noise_{kind}_{name}"])
        patch.setattr(getattr(method.network, name).cvae, "noise", lambda like, noise=noise: noise.to(like))


def test_outputs(golden: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = build(golden), batch_of(golden)
    for name, (stream, features) in method.network.streams(batch.features).items():
        output = stream(features)
        give_noise(method, golden, "posterior", monkeypatch)
        mean, log_variance, decoded = stream.cvae(features, output.attention)
        give_noise(method, golden, "prior", monkeypatch)
        found = {
            "attention": output.attention,
            "tcam": output.cam,
            "score_fg": output.foreground,
            "score_bg": output.background,
            "mean": mean,
            "log_var": log_variance,
            "decoded": decoded,
            "generated": stream.cvae.generate(output.attention, prior_ratio=1.0),
        }
        for kind, ours in found.items():
            assert_close(ours.detach(), golden[f"out/{kind}_{name}"], f"{kind}_{name}", RELATIVE)


@pytest.mark.parametrize("phase", ["cvae", "attention"])
def test_losses_and_gradients(golden: dict[str, np.ndarray], phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = build(golden), batch_of(golden)
    # The files have the VAE's loss at weight 1, and the attention's with its ramp at the end.
    ramped = method.hyperparameters.ramp_epochs
    method.prepare(round(ramped / RELEASED_CVAE_WEIGHT) if phase == "cvae" else ramped, lambda: iter(()))
    give_noise(method, golden, "posterior" if phase == "cvae" else "prior", monkeypatch)
    losses = method.losses(batch, phase)
    for theirs, ours in LOSSES[phase].items():
        for name in STREAMS:
            assert_close(losses[f"{ours}_{name}"].detach(), golden[f"loss/{theirs}_{name}"], f"{ours}_{name}", RELATIVE)
    total = sum(golden[f"loss/{phase}_total_{name}"] for name in STREAMS)
    assert_close(losses["total"].detach(), np.asarray(total), "total", RELATIVE)
    losses["total"].backward()
    prefix = f"grad_{phase}/"
    expected = {our_name(name.removeprefix(prefix)): golden[name] for name in golden if name.startswith(prefix)}
    moved = {name: weight.grad for name, weight in method.network.named_parameters() if weight.grad is not None}
    assert set(moved) == set(expected)
    for name, gradient in moved.items():
        assert_close(gradient, expected[name], name, RELATIVE)


def detect(golden: dict[str, np.ndarray]) -> Detections:
    method = build(golden)
    features = np.concatenate([golden[f"detect/features_{name}"] for name in STREAMS], axis=1).T
    classes = method.network.rgb.classifier.out_features - 1
    snippets = int(golden["detect/snippets"])  # of 16 frames each, at 25 frames a second
    videos = VideoSet.labelled(
        videos=("video",),
        features=features[None],
        labels=np.zeros((1, classes)),
        duration=np.array([snippets * 16 / 25]),
        frames=np.array([snippets * 16]),
    )
    return method.detect(videos, tuple(f"class {number}" for number in range(classes)), INFERENCE)


def table(detections: Detections) -> np.ndarray:
    """Rows (class, start, end, score), in an order of their own."""
    rows = np.column_stack([detections.label, detections.segment, detections.score])
    return rows[np.lexsort(rows.round(6).T[::-1])]


def test_detections(golden: dict[str, np.ndarray]) -> None:
    found = table(detect(golden))
    expected = golden["detect/expected"]
    expected = expected[np.lexsort(expected.round(6).T[::-1])]
    for column, name in enumerate(("class", "start", "end", "score")):
        assert_close(found[:, column], expected[:, column], name, RELATIVE)
