"""Small fits of methods whose training has turns: SF-Net restarts, DGAM has two optimizers, segments have rounds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from tal_search.data.find import load
from tal_search.data.simulation.videos import Simulation
from tal_search.methods import specification
from tal_search.methods.base import Method
from tal_search.trial.loop import Fit
from tal_search.types import Dataset
from tests.support.make_dataset import found

METHODS = ("backtal", "dgam", "representative", "sfnet")
SMALL: dict[str, dict[str, Any]] = {
    "actionformer": {"width": 32, "levels": 3},
    "asl": {"width": 32, "levels": 3},
}
EPOCHS = 6  # SF-Net restarts before the third; two epochs for each of three rounds
# Every option of optimisation, each with what it does to a fit.
OPTIONS: dict[str, dict[str, Any]] = {
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "one cycle": {"schedule": "one_cycle", "warm_up": 0.3, "final_rate": 0.1},
    "warm-up": {"warm_up": 0.5},
    "clipped": {"clip_norm": 0.01},
    "averaged": {"ema_decay": 0.9},
}
EVERY: dict[str, Any] = {
    "optimizer": "adamw", "schedule": "cosine", "warm_up": 1 / 7, "final_rate": 1e-4, "clip_norm": 1.0,
    "ema_decay": 0.9,
}  # fmt: skip


@cache
def data(name: str) -> Dataset:
    """Eight videos to train on, and five to test on."""
    spec = found(None, "simulated", snippets=24, simulation=Simulation(train_videos=8, test_videos=5, channels=8))
    return load(spec, "A1", specification(name).method.supervision)


def build(name: str, **options: Any) -> Method:
    """The method with its initial weights."""
    settings = {"epochs": EPOCHS, "batch_size": 3, "learning_rate": 1e-3, **SMALL.get(name, {}), **options}
    torch.manual_seed(0)
    return specification(name).build(settings, 8, len(data(name).classes))


def fit_of(name: str, precision: str = "float32", **options: Any) -> Fit:
    """Three steps an epoch and phase."""
    train = data(name).train
    return Fit(build(name, **options), train, np.arange(len(train.videos)), 0, precision, torch.device("cpu"))
