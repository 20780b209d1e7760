"""Clicks and instances per minute of labelled video, and the minutes, from which the annotation cost is computed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tal_search.data.clicks.annotation_cost import THUMOS14_RATES
from tal_search.data.clicks.click_budget import within_budget
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.label_budget import training_rows, within_instances
from tal_search.data.load import load_truths
from tal_search.data.splits import restrict
from tal_search.data.supervision import clicks_made
from tal_search.data.truth.truths import present
from tal_search.errors import InputError
from tal_search.types import (
    BACKGROUND_CLICKS,
    INSTANCES,
    SHARE_OF,
    VIDEOS,
    Annotations,
    Ints,
    canonical_json,
    clicks_of,
)

_counted: dict[Hashable, Labelled] = {}  # by everything that the counts depend on
ALL: Mapping[str, Any] = {"selection": "last"}  # a protocol that holds out no video
HELD_OUT = ("selection", "holdout_fraction", "holdout_seed", "holdout_by")  # keys of a protocol that decide it


class Labelled(NamedTuple):
    """What is annotated for a trial: minutes of video, None if unknown, and clicks and instances a minute, by kind."""

    minutes: float | None
    rates: dict[str, float]


def labelled(
    spec: DatasetSpec, annotator: str, supervision: tuple[str, ...], protocol: Mapping[str, Any] = ALL
) -> Labelled:
    """The labelled training videos of a trial: those within the budget of videos, and those held out.

    Of a fold, the videos that it trains on and not those that it tests; of folds without a number, all.

    Counted in the click files, within the dataset's budgets, in the ground truth or the simulation. THUMOS14's rates
    stand in where nothing can be counted: for clicks in the feature files, a ground truth without durations, and files
    with problems (which `check` reports). Held-out videos count like the others, though selection needs their
    instances.
    """
    # A plan asks once a trial for few different rates; the fingerprints identify the files they are counted in.
    held = canonical_json({name: value for name, value in protocol.items() if name in HELD_OUT})
    held += canonical_json([spec.folds, spec.fold])
    key = (spec.fingerprint, annotator, supervision, held, *spec.fingerprints_read(annotator, supervision).items())
    if key not in _counted:
        _counted[key] = _labelled(spec, annotator, supervision, protocol)
    return _counted[key]


def _labelled(spec: DatasetSpec, annotator: str, supervision: tuple[str, ...], protocol: Mapping[str, Any]) -> Labelled:
    rates = {kind: THUMOS14_RATES[kind] * spec.share(name) for name, kind in SHARE_OF.items()}
    if spec.clicks_per_minute is not None:
        rates[BACKGROUND_CLICKS] = min(THUMOS14_RATES[BACKGROUND_CLICKS], spec.clicks_per_minute)
    minutes: float | None = None
    with contextlib.suppress(InputError):
        train, test = training_truth(spec), load_truths(spec)[1]
        rows = _labelled_rows(spec, annotator, protocol, train)
        known = spec.fold is None or bool(np.isfinite(test.duration).all() and np.isfinite(train.duration).all())
        total = float(train.duration[rows].sum()) / 60 if known else math.nan  # unknown in one fold: unknown in all
        if not math.isfinite(total) or total <= 0:
            return Labelled(None, rates)
        minutes = total
        rates[INSTANCES] = int(np.isin(within_instances(spec, annotator, train).video, rows).sum()) / minutes
        if not np.isfinite(train.duration).all():
            return Labelled(minutes, rates)
        seconds = dict(zip(train.videos, train.duration.tolist(), strict=True))
        for kind in clicks_of(supervision):
            clicks = clicks_made(spec, kind, annotator, seconds, train, test)
            if clicks is not None:
                kept = within_budget(spec, clicks, train.duration)
                rates[kind] = int(np.isin(kept.video, rows).sum()) / minutes
    return Labelled(minutes, rates)


def labelled_videos(spec: DatasetSpec, annotator: str, protocol: Mapping[str, Any]) -> set[str]:
    """Names of the training videos that a trial trains on or holds out. Raises InputError: an unusable ground truth."""
    train = training_truth(spec)
    return {train.videos[row] for row in _labelled_rows(spec, annotator, protocol, train)}


def training_truth(spec: DatasetSpec) -> Annotations:
    """Ground truth of the training videos in the order of the features, which every draw of a trial sees."""
    train = load_truths(spec)[0]
    return restrict(train, tuple(sorted(train.videos))) if spec.source == "features" else train


def _labelled_rows(spec: DatasetSpec, annotator: str, protocol: Mapping[str, Any], train: Annotations) -> Ints:
    if spec.share(VIDEOS) >= 1:
        return np.arange(len(train.videos))
    return np.concatenate(training_rows(spec, annotator, protocol, train.videos, present(train)))
