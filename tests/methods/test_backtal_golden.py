"""Parity with numbers obtained from the released BackTAL implementation (variant release)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.nn.batch import Batch
from tal_search.nn.losses import top_k, video_scores
from tests.support.batches import background_batch
from tests.support.golden_files import assert_close, files, read

RELATIVE = 1e-5  # the files are of float32
# Names of ours beside those of the golden files.
LOSSES = {"cls_base": "base", "cls_supp": "supp", "norm": "norm", "frame": "frame", "sep": "sep", "aff": "aff"}


@pytest.fixture(params=files("backtal_release"), ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    return read(request.param)


def build(golden: dict[str, np.ndarray]) -> tuple[BackTAL, Batch]:
    state = {name[6:]: torch.from_numpy(golden[name]) for name in golden if name.startswith("state/")}
    method = BackTAL.from_state(state, Hyperparameters(variant="release", k_ratio=0.125, beta_aff=0.8), "golden")
    method.network.eval()
    classes = golden["labels"].shape[1]
    clicks = torch.from_numpy(golden["clicks"] == classes)
    return method, background_batch(torch.from_numpy(golden["features"]), torch.from_numpy(golden["labels"]), clicks)


def assert_equal(ours: torch.Tensor, theirs: np.ndarray, name: str) -> None:
    assert_close(ours.detach(), theirs, name, RELATIVE)


def test_outputs(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden)
    output = method.network(batch.features)
    k = top_k(0.125, batch.features.shape[-1])
    for name in ("cas_base", "cas_supp", "embedding", "filter"):
        assert_equal(getattr(output, name), golden[f"out/{name}"], name)
    assert_equal(video_scores(output.cas_base, k), golden["out/score_base"], "score_base")
    assert_equal(video_scores(output.cas_supp, k), golden["out/score_supp"], "score_supp")


def test_suppressed_branch_alone_is_the_same(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden)
    assert_equal(method.network.suppressed(batch.features)[0], golden["out/cas_supp"], "cas_supp")


def test_losses_and_gradients(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden)
    losses = method.losses(batch, "all")
    for ours, theirs in LOSSES.items():
        assert_equal(losses[ours], golden[f"loss/{theirs}"], ours)
    assert_equal(losses["total"], golden["loss/total"], "total")
    losses["total"].backward()
    parameters = dict(method.network.named_parameters())
    expected = {name[5:] for name in golden if name.startswith("grad/")}
    assert set(parameters) == expected
    for name, parameter in parameters.items():
        assert parameter.grad is not None
        assert_equal(parameter.grad, golden[f"grad/{name}"], name)


def test_a_batch_without_any_click_has_zero_click_terms(golden: dict[str, np.ndarray]) -> None:
    method, batch = build(golden)
    silent = dataclasses.replace(batch, background_clicks=torch.zeros_like(batch.background_clicks))
    losses = method.losses(silent, "all")
    losses["total"].backward()
    assert [float(losses[name].detach()) for name in ("frame", "sep", "aff")] == [0, 0, 0]
    assert all(
        torch.isfinite(parameter.grad).all() for parameter in method.network.parameters() if parameter.grad is not None
    )
