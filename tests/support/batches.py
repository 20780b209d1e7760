"""Batches of a training step, made by hand or taken from a set of videos."""

from __future__ import annotations

from dataclasses import replace

import torch

from tal_search.nn.batch import Batch
from tal_search.trial.loop import OF_VIDEOS
from tal_search.types import VideoSet


def batch_of(videos: VideoSet, rows: torch.Tensor) -> Batch:
    """The videos at `rows` (int64 [B]) with all their supervision."""
    arrays = [torch.from_numpy(getattr(videos, name))[rows] for name in OF_VIDEOS]
    batch = Batch(rows, *arrays)
    return replace(batch, features=batch.features.float())


def background_batch(features: torch.Tensor, labels: torch.Tensor, background_clicks: torch.Tensor) -> Batch:
    """Videos with labels and background clicks, and no other supervision: [B, D, T], [B, C], bool [B, T]."""
    count, _, snippets = features.shape
    return Batch(
        rows=torch.arange(count),
        features=features,
        labels=labels,
        background_clicks=background_clicks,
        action_clicks=torch.zeros(count, labels.shape[1], snippets, dtype=torch.bool),
        segments=torch.zeros(count, 0, 2),
        segment_labels=torch.zeros(count, 0, dtype=torch.int64),
    )
