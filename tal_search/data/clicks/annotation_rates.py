"""Clicks and instances per minute of video, from which the annotation cost of a dataset is computed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable

from tal_search.data.clicks.annotation_cost import THUMOS14_RATES
from tal_search.data.clicks.click_budget import within_budget
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.load import load_truths
from tal_search.data.supervision import clicks_made
from tal_search.errors import InputError
from tal_search.types import BACKGROUND_CLICKS, INSTANCES, clicks_of

_counted: dict[Hashable, dict[str, float]] = {}  # by everything that the rates depend on


def annotation_rates(spec: DatasetSpec, annotator: str, supervision: tuple[str, ...]) -> dict[str, float]:
    """Clicks and instances a minute of training video, by kind, that a trial with this supervision reads.

    Counted in the click files, within the dataset's click budget, in the ground truth or the simulation. THUMOS14's
    rates stand in where nothing can be counted: for clicks in the feature files, a ground truth without durations, and
    files with problems (which `check` reports).
    """
    # A plan asks once a trial for few different rates; the fingerprints identify the files they are counted in.
    key = (spec.fingerprint, annotator, supervision, *spec.fingerprints_read(annotator, supervision).items())
    if key not in _counted:
        _counted[key] = _rates(spec, annotator, supervision)
    return dict(_counted[key])


def _rates(spec: DatasetSpec, annotator: str, supervision: tuple[str, ...]) -> dict[str, float]:
    limit = math.inf if spec.clicks_per_minute is None else spec.clicks_per_minute
    assumed = min(THUMOS14_RATES[BACKGROUND_CLICKS] * spec.clicks_fraction, limit)
    rates = {**THUMOS14_RATES, BACKGROUND_CLICKS: assumed}
    with contextlib.suppress(InputError):
        train, test = load_truths(spec)
        minutes = float(train.duration.sum()) / 60
        if not math.isfinite(minutes):
            return rates
        rates[INSTANCES] = len(train.label) / minutes
        seconds = dict(zip(train.videos, train.duration.tolist(), strict=True))
        for kind in clicks_of(supervision):
            clicks = clicks_made(spec, kind, annotator, seconds, train, test)
            if clicks is not None:
                rates[kind] = len(within_budget(spec, clicks, train.duration).time) / minutes
    return rates
