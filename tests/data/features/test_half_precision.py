"""Features in half precision: small rounding errors or none, and the same losses as on exact features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.data.features.half_precision import in_half
from tal_search.data.load import load
from tal_search.data.simulation.videos import Simulation, simulate
from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.trial.loop import Fit
from tal_search.types import BACKGROUND_CLICKS, VideoSet
from tests.support.make_dataset import change, found


def videos(scale: float = 1.0) -> VideoSet:
    dataset = simulate(Simulation(train_videos=40, test_videos=2, channels=12), 60)
    clicks = np.random.default_rng(0).random((40, 60)) < 0.05
    features = (dataset.train.features * scale).astype(np.float32)
    return replace(dataset.train, features=features, background_clicks=clicks)


EXACT = videos()


@settings(max_examples=60)
@given(st.floats(-37, 37), st.integers(0, 39))
def test_no_video_is_changed_by_more_than_a_thousandth_at_any_scale(exponent: float, row: int) -> None:
    features = EXACT.features.copy()
    features[row] *= np.float32(10.0**exponent)
    exact, notes = replace(EXACT, features=features), list[str]()
    kept = in_half(exact, notes)
    assert (kept.features.dtype == np.float32) == bool(notes)
    assert np.isfinite(kept.features).all()
    for one, other in zip(kept.features.astype(np.float64), exact.features.astype(np.float64), strict=True):
        assert np.linalg.norm(one - other) <= 1e-3 * np.linalg.norm(other)
    if -2 < exponent < 3:
        assert notes == []


@pytest.mark.parametrize(("value", "shown"), [(1e5, "1e+05"), (1e-7, "1e-07")])
def test_features_beyond_half_precision_stay_exact_and_this_is_said(root: Path, value: float, shown: str) -> None:
    path = root / "val" / "video_val_0001.npz"
    change(path, feat_spa=np.full((4, 40), value, np.float32), feat_tem=np.full((4, 40), value, np.float32))
    notes: list[str] = []
    dataset = load(found(root), "A1", (BACKGROUND_CLICKS,), notes=notes)
    assert (dataset.train.features[1] == np.float32(value)).all()
    assert dataset.test.features.dtype == np.float16
    (note,) = notes
    assert note.startswith("features are kept in float32, in twice the memory: float16 would change video_val_0001 ")
    assert f"(its greatest value is {shown};" in note


def test_videos_without_any_feature_are_no_problem() -> None:
    notes: list[str] = []
    empty = replace(EXACT, features=np.zeros_like(EXACT.features))
    assert in_half(empty, notes).features.dtype == np.float16
    assert notes == []


def fit_on(train: VideoSet, epochs: int) -> tuple[Fit, list[dict[str, float]]]:
    torch.manual_seed(0)
    method = BackTAL(Hyperparameters(epochs=epochs, batch_size=8, learning_rate=2e-3), 12, train.labels.shape[1])
    fit = Fit(method, train, np.arange(40), 0, "float32", torch.device("cpu"))
    return fit, [fit.epoch(number) for number in range(1, epochs + 1)]


@pytest.mark.usefixtures("one_thread")
def test_a_fit_holds_half_precision_and_its_losses_are_those_on_exact_features() -> None:
    fit, half = fit_on(in_half(EXACT, []), epochs=5)
    assert fit.data.features.dtype == torch.float16
    _, exact = fit_on(EXACT, epochs=5)
    for one, other in zip(half, exact, strict=True):
        assert one["total"] == pytest.approx(other["total"], rel=0.005)
    assert exact[-1]["total"] < 0.97 * exact[0]["total"]  # it learned, so equal losses say something
