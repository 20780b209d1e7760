"""Number of training videos of a study, counted in the ground truth without reading features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.load import load_truths
from tal_search.data.splits import holdout_split
from tal_search.data.truth.truths import present


def training_videos(dataset: DatasetSpec, protocol: Mapping[str, Any]) -> int:
    """Videos of the training split, without those that the protocol holds out.

    Raises InputError where the ground truth cannot be used, or where none can be held out.
    """
    truth, _ = load_truths(dataset)
    if protocol["selection"] != "holdout":
        return len(truth.videos)
    return len(holdout_split(present(truth), protocol["holdout_fraction"], protocol["holdout_seed"])[0])
