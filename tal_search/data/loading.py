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
from tal_search.data.half_precision import in_half
from tal_search.data.shared_features import place_of, shared_splits
from tal_search.data.simulation import Simulation, require_durations, simulate, simulated_truths
from tal_search.errors import InputError
from tal_search.types import Annotations, Dataset, DatasetSpec, VideoSet, canonical_json

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


def load(spec: DatasetSpec, annotator: str, shared: Path | None = None, notes: list[str] | None = None) -> Dataset:
    """The dataset with one annotator's background clicks, every video rescaled to spec.snippets.

    Features are in half precision where they can be (see `half_precision`), else `notes` says so.
    `shared`: a folder where the arrays are kept for all processes of this machine (see `shared_features`); what goes
    wrong there is added to `notes`, a sentence each. Arrays that do not depend on the annotator are kept for the next
    call and shared with its result: do not write to them. Raises InputError as `check` does.
    """
    path = _click_file(spec, annotator)
    dataset, news = _without_clicks(_without_annotators(spec), shared)
    if notes is not None:
        notes.extend(news)
        news.clear()  # said once a process
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


def load_truths(spec: DatasetSpec) -> tuple[Annotations, Annotations]:
    """Ground truth of the training and the test videos, as in what `load` gives; no feature is read or simulated.

    Raises InputError where a ground truth cannot be used.
    """
    return _truths(_without_annotators(spec))


def _without_annotators(spec: DatasetSpec) -> str:
    """What decides all but the clicks, as text."""
    return canonical_json({**dataclasses.asdict(spec), "clicks": {}, "click_fingerprints": {}})


@lru_cache(maxsize=2)
def _truths(spec_json: str) -> tuple[Annotations, Annotations]:
    spec = DatasetSpec(**json.loads(spec_json))
    if spec.source == "features":
        return read_truths(spec)
    return simulated_truths(Simulation(**spec.simulation), read_truths(spec) if spec.ground_truth else None)


@lru_cache(maxsize=2)
def _without_clicks(spec_json: str, shared: Path | None) -> tuple[Dataset, list[str]]:
    """Worker processes run many trials on one dataset; its specification, with the fingerprint, is the cache's key.

    Gives also what the user should know of the shared arrays.
    """
    spec = DatasetSpec(**json.loads(spec_json))
    notes: list[str] = []
    if shared is None:
        train, test = _splits(spec, notes)
    else:
        place = place_of(shared, spec.fingerprint, spec.snippets)
        train, test = shared_splits(place, lambda: _splits(spec, notes), notes)
    train_truth, test_truth = _truths(spec_json)
    dataset = Dataset(
        classes=train_truth.classes, train=train, test=test, train_truth=train_truth, test_truth=test_truth
    )
    return dataset, notes


def _splits(spec: DatasetSpec, notes: list[str]) -> tuple[VideoSet, VideoSet]:
    """Training and test arrays, read or simulated; clicks are those of the training files, if any.

    Where features cannot be kept in half precision, `notes` says so.
    """
    if spec.source == "simulated":
        simulation, truths = Simulation(**spec.simulation), read_truths(spec) if spec.ground_truth else None
        dataset = simulate(simulation, spec.snippets, truths)
        return in_half(dataset.train, notes), in_half(dataset.test, notes)
    problems: list[str] = []
    train, test = read_splits(spec, problems)
    _stop(problems)
    train_videos = in_half(train.load(spec.snippets, problems), notes)
    test_videos = in_half(test.load(spec.snippets, problems), notes)
    _stop(problems)
    no_clicks = np.zeros_like(test_videos.background_clicks)
    return train_videos, dataclasses.replace(test_videos, background_clicks=no_clicks)


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
