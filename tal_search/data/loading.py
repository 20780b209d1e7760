"""A found dataset in memory: one check of everything before a study starts, and the arrays that a trial needs."""

from __future__ import annotations

import dataclasses
import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from tal_search.data.clickers import CLICKERS, simulate_clicks
from tal_search.data.clicks import rasterise, read_clicks
from tal_search.data.feature_split import read_splits, read_truths
from tal_search.data.simulation import Simulation, require_durations, simulate
from tal_search.errors import InputError
from tal_search.types import Dataset, DatasetSpec, canonical_json

EMBEDDED = "embedded"  # the annotator of clicks that lie in the feature files
LISTED = 30  # problems named one by one; the rest are counted


def check(spec: DatasetSpec, annotators: tuple[str, ...]) -> None:
    """Read every file once, one video in memory at a time, and raise InputError with every problem found.

    Videos without a file or without ground truth, files that cannot be trusted, channel and class counts that differ,
    a split without instances, labels outside the class list, clicks outside their video, annotators without clicks.
    """
    problems: list[str] = []
    durations: dict[str, float] = {}
    try:
        durations = _check_features(spec, problems) if spec.source == "features" else _check_timeline(spec)
    except InputError as error:
        problems.extend(error.problems)
    for annotator in annotators:
        try:
            path = _click_file(spec, annotator)
            if path and durations:
                read_clicks(path, durations)
        except InputError as error:
            problems.extend(error.problems)
    _stop(problems)


def load(spec: DatasetSpec, annotator: str) -> Dataset:
    """The dataset with one annotator's background clicks, every video rescaled to spec.snippets.

    Arrays that do not depend on the annotator are kept for the next call and shared with its result: do not write to
    them. Raises InputError as `check` does.
    """
    path = _click_file(spec, annotator)
    dataset = _without_clicks(canonical_json({**dataclasses.asdict(spec), "clicks": {}, "click_fingerprints": {}}))
    if path is None and annotator == EMBEDDED:
        return dataset
    train = dataset.train
    if path is not None:
        seconds = read_clicks(path, dict(zip(train.videos, train.duration.tolist(), strict=True)))
    else:
        seconds = simulate_clicks(dataset.train_truth, train.duration, annotator, spec.simulation["seed"])
    rows = [
        rasterise(seconds.get(video, np.zeros(0)), duration, spec.snippets)
        for video, duration in zip(train.videos, train.duration.tolist(), strict=True)
    ]
    return dataclasses.replace(dataset, train=dataclasses.replace(train, background_clicks=np.stack(rows)))


@lru_cache(maxsize=2)
def _without_clicks(spec_json: str) -> Dataset:
    """Worker processes run many trials on one dataset; its specification, with the fingerprint, is the cache's key."""
    spec = DatasetSpec(**json.loads(spec_json))
    if spec.source == "simulated":
        return simulate(Simulation(**spec.simulation), spec.snippets, read_truths(spec) if spec.ground_truth else None)
    problems: list[str] = []
    train, test = read_splits(spec, problems)
    _stop(problems)
    videos = train.load(spec.snippets, problems), test.load(spec.snippets, problems)
    dataset = Dataset(
        classes=train.truth.classes,
        train=videos[0],
        test=dataclasses.replace(videos[1], background_clicks=np.zeros_like(videos[1].background_clicks)),
        train_truth=train.truth,
        test_truth=test.truth,
    )
    _stop(problems)
    return dataset


def _check_features(spec: DatasetSpec, problems: list[str]) -> dict[str, float]:
    """Seconds by training video. A file already reported has none; no click of it is reported then."""
    train, test = read_splits(spec, problems)
    stated = dict(zip(train.truth.videos, train.truth.duration.tolist(), strict=True))
    durations = {name: seconds if math.isfinite(seconds) else math.inf for name, seconds in stated.items()}
    durations |= {name: duration for name, _, duration in train.videos(problems)}
    for _ in test.videos(problems):
        pass
    return durations


def _check_timeline(spec: DatasetSpec) -> dict[str, float]:
    """Seconds by training video of the real timeline that simulated features lie on; none where it is drawn."""
    if not spec.ground_truth:
        return {}
    train, test = read_truths(spec)
    require_durations(train, test)
    return dict(zip(train.videos, train.duration.tolist(), strict=True))


def _click_file(spec: DatasetSpec, annotator: str) -> Path | None:
    """None for clicks that are simulated or lie in the feature files."""
    if annotator not in spec.clicks:
        found = ", ".join(spec.clicks) or "none"
        raise InputError(f"annotator '{annotator}' has no clicks in {spec.name}; found: {found}")
    path = spec.clicks[annotator]
    assert path or annotator == EMBEDDED or annotator in CLICKERS, annotator
    return Path(path) if path else None


def _stop(problems: list[str]) -> None:
    more = len(problems) - LISTED
    if more > 0:
        raise InputError(
            [*problems[:LISTED], f"and {more} more problem{'s' if more > 1 else ''}; fix those above first"]
        )
    if problems:
        raise InputError(problems)
