"""A training set of one batch, and a fit of BackTAL on it."""

from __future__ import annotations

import numpy as np
import torch

from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.trial.loop import Fit
from tal_search.types import VideoSet

CPU = torch.device("cpu")
CHANNELS, CLASSES, SNIPPETS, BATCH = 16, 4, 48, 6


def one_batch(seed: int = 0) -> VideoSet:
    random = np.random.default_rng(seed)
    return VideoSet.labelled(
        videos=tuple(f"video_{index}" for index in range(BATCH)),
        features=random.standard_normal((BATCH, CHANNELS, SNIPPETS), dtype=np.float32),
        labels=np.eye(CLASSES, dtype=np.float32)[random.integers(0, CLASSES, BATCH)],
        duration=np.full(BATCH, 20.0),
        frames=np.full(BATCH, 600),
        background_clicks=random.random((BATCH, SNIPPETS)) < 0.2,
    )


def make_fit(videos: VideoSet, precision: str = "float32", device: torch.device = CPU, **settings: object) -> Fit:
    """One step an epoch."""
    torch.manual_seed(0)
    hyperparameters = Hyperparameters(**{"batch_size": len(videos.videos), **settings})  # type: ignore[arg-type]
    method = BackTAL(hyperparameters, videos.features.shape[1], videos.labels.shape[1])
    return Fit(method, videos, np.arange(len(videos.videos)), seed=0, precision=precision, device=device)
