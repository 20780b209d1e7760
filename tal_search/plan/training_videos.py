"""Number of training videos of a study, counted in the ground truth without reading features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.load import training_truth


def training_videos(dataset: DatasetSpec, protocol: Mapping[str, Any]) -> int:
    """Videos that fits train on before any budget, see `training_truth`, which raises InputError."""
    return len(training_truth(dataset, protocol).videos)
