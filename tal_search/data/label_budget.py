"""Budgets of videos and instances: parts of the training set, as if the rest had not been annotated.

Held-out videos are chosen first and never fall under a budget, so that trials with different budgets are compared on
the same videos. Every draw depends on names alone; a smaller budget is a subset of every larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tal_search.data.clicks.click_budget import drawn_rows
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.splits import protocol_holdout
from tal_search.types import INSTANCES, VIDEOS, Annotations, Ints


def kept_count(share: float, videos: int) -> int:
    """Number of videos that are kept of so many: the share rounded, and at least one."""
    return max(1, round(share * videos))


def within_videos(spec: DatasetSpec, annotator: str, videos: tuple[str, ...], rows: Ints) -> Ints:
    """Those of `rows` (int [M] into `videos`) that are within the budget of videos, in ascending order.

    The order in which videos are added depends on each video's and the annotator's name.
    """
    if spec.share(VIDEOS) >= 1:
        return rows
    place = {row: hashlib.sha256(f"{annotator}\n{videos[row]}".encode()).digest() for row in rows.tolist()}
    first = sorted(place, key=lambda row: (place[row], row))
    return np.array(sorted(first[: kept_count(spec.share(VIDEOS), len(rows))]), np.int64)


def training_rows(
    spec: DatasetSpec,
    annotator: str,
    protocol: Mapping[str, Any],
    videos: tuple[str, ...],
    labels_NC: NDArray[np.float32],
) -> tuple[Ints, Ints]:
    """Rows to train on, within the budget of videos, and rows held out, which are chosen before.

    Raises InputError where the protocol holds out no video.
    """
    rows, held = np.arange(len(videos)), np.zeros(0, np.int64)
    if protocol["selection"] == "holdout":
        rows, held = protocol_holdout(videos, labels_NC, protocol)
    return within_videos(spec, annotator, videos, rows), held


def within_instances(spec: DatasetSpec, annotator: str, truth: Annotations) -> Annotations:
    """The instances within the budget; to a method the others are background, as if nobody had marked them."""
    if spec.share(INSTANCES) >= 1:
        return truth
    rows = drawn_rows(spec.share(INSTANCES), len(truth.label), annotator, INSTANCES)
    return replace(truth, video=truth.video[rows], label=truth.label[rows], segment=truth.segment[rows])
