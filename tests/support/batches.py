"""Batches of a training step, made by hand or taken from a set of videos."""

from __future__ import annotations

from dataclasses import fields, replace

import torch

from tal_search.methods.base import Batch
from tal_search.types import VideoSet


def batch_of(videos: VideoSet, rows: torch.Tensor) -> Batch:
    """The videos at `rows` (int64 [B]) with all their supervision."""
    arrays = [torch.from_numpy(getattr(videos, spec.name))[rows] for spec in fields(Batch) if spec.name != "rows"]
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
