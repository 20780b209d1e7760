"""Number of training videos of a study, counted in the ground truth without reading features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.folds import folds_of
from tal_search.data.load import load_truths
from tal_search.data.splits import protocol_holdout
from tal_search.data.truth.truths import present


def training_videos(dataset: DatasetSpec, protocol: Mapping[str, Any]) -> int:
    """Videos of the training split, without those that the protocol holds out.

    Of folds, that of the first, which tests as many subjects as any.
    Raises InputError where the ground truth cannot be used, or where none can be held out.
    """
    truth, _ = load_truths(replace(dataset, fold=folds_of(dataset)[0]))
    if protocol["selection"] != "holdout":
        return len(truth.videos)
    return len(protocol_holdout(truth.videos, present(truth), protocol)[0])
