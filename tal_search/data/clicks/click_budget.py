"""Click budgets: a subset of an annotator's clicks, as if there had been fewer."""

from __future__ import annotations

import dataclasses
import math
import zlib

import numpy as np

from tal_search.data.clicks.clicks import Clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.types import BACKGROUND_CLICKS, SHARE_OF, Floats, Ints


def within_budget(spec: DatasetSpec, clicks: Clicks, seconds_N: Floats) -> Clicks:
    """The clicks within the dataset's budget for their kind; seconds_N: durations of the videos.

    The draw depends only on the names of the annotator and the videos: all seeds and studies get the same clicks, and a
    smaller budget is a subset of every larger one.
    """
    if clicks.kind == BACKGROUND_CLICKS and spec.clicks_per_minute is not None:
        return _at(clicks, _rows_per_minute(clicks, spec.clicks_per_minute, seconds_N / 60))
    name = next(name for name, kind in SHARE_OF.items() if kind == clicks.kind)
    also = () if clicks.kind == BACKGROUND_CLICKS else (clicks.kind,)
    return _at(clicks, drawn_rows(spec.share(name), len(clicks.time), clicks.annotator, *also))


def drawn_rows(share: float, count: int, *names: str) -> Ints:
    """Rows, in ascending order, of the share of `count` rows; the draw depends on `names` only."""
    seed: list[int] = [zlib.crc32(name.encode()) for name in names]
    order = np.random.default_rng(seed[0] if len(seed) == 1 else seed).permutation(count)
    return np.sort(order[: round(share * count)])


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
