"""Click budgets: a subset of an annotator's background clicks, as if there had been fewer."""

from __future__ import annotations

import dataclasses
import math
import zlib

import numpy as np

from tal_search.data.clicks.clicks import Clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.types import BACKGROUND_CLICKS, Floats, Ints


def within_budget(spec: DatasetSpec, clicks: Clicks, seconds_N: Floats) -> Clicks:
    """Background clicks within the dataset's budget, or all clicks of another kind; seconds_N: durations of the videos.

    The draw depends only on the names of the annotator and the videos: all seeds and studies get the same clicks, and a
    smaller budget is a subset of every larger one.
    """
    if clicks.kind != BACKGROUND_CLICKS:
        return clicks
    if spec.clicks_per_minute is not None:
        return _at(clicks, _rows_per_minute(clicks, spec.clicks_per_minute, seconds_N / 60))
    order = np.random.default_rng(zlib.crc32(clicks.annotator.encode())).permutation(len(clicks.time))
    return _at(clicks, np.sort(order[: round(spec.clicks_fraction * len(order))]))


def _rows_per_minute(clicks: Clicks, limit: float, minutes_N: Floats) -> Ints:
    """Rows of at most `limit` clicks a minute in each video, whose fractional part is rounded up or down at random."""
    found = []
    bounds = np.searchsorted(clicks.video, np.arange(len(clicks.videos) + 1))
    for name, minutes, first, end in zip(clicks.videos, minutes_N, bounds[:-1], bounds[1:], strict=True):
        generator = np.random.default_rng([zlib.crc32(text.encode()) for text in (clicks.annotator, name)])
        most = math.floor(limit * minutes + generator.random())
        found.append(first + np.sort(generator.permutation(end - first)[:most]))
    return np.concatenate(found).astype(np.int64)


def _at(clicks: Clicks, rows: Ints) -> Clicks:
    columns = {name: getattr(clicks, name)[rows] for name in ("video", "time", "label", "spent")}
    return dataclasses.replace(clicks, **columns)
