"""A found dataset in memory: one check of everything before a study starts, and the arrays that a trial needs."""

from __future__ import annotations

import dataclasses
import itertools
import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from tal_search.data.clicks.clicks import read_clicks
from tal_search.data.features.cache import CONVERTED, check_cache, open_cache
from tal_search.data.features.half_precision import in_half
from tal_search.data.features.shared import SPLITS, array_file, place_of, shared_splits
from tal_search.data.features.split_reader import read_splits, read_truths
from tal_search.data.simulation.videos import recorded, require_durations, simulate, simulated_truths
from tal_search.data.splits import shared_videos
from tal_search.data.supervision import click_file, clicked_videos, supervise
from tal_search.data.truths import stated_seconds, truth_notes
from tal_search.errors import InputError
from tal_search.types import Annotations, Dataset, DatasetSpec, VideoSet, canonical_json

LISTED = 30  # problems named one by one; the rest are counted


def check(spec: DatasetSpec, annotators: tuple[str, ...], kinds: tuple[str, ...]) -> list[str]:
    """Read every file once, one video in memory at a time, and raise InputError with every problem found.

    Videos without a file or without ground truth, files that cannot be trusted, channel and class counts that differ,
    a split without instances, labels outside the class list, clicks outside their video, annotators without clicks of
    one of `kinds`. Gives what the user should know of the annotations.
    """
    problems: list[str] = []
    notes: list[str] = []
    durations: dict[str, float] = {}
    try:
        durations = _check_features(spec, problems) if spec.source == "features" else _check_timeline(spec)
        notes += truth_notes(Path(spec.ground_truth), *load_truths(spec))
    except InputError as error:
        problems.extend(error.problems)
    for kind, annotator in itertools.product(kinds, annotators):
        try:
            path = click_file(spec, kind, annotator)
            if path and durations:
                known = clicked_videos(spec, durations, *load_truths(spec))
                read_clicks(path, kind, annotator, known, notes)
        except InputError as error:
            problems.extend(error.problems)
    stop(problems)
    return notes


def load(
    spec: DatasetSpec,
    annotator: str,
    supervision: tuple[str, ...],
    shared: Path | None = None,
    notes: list[str] | None = None,
) -> Dataset:
    """The dataset with the clicks of one annotator and the instances that `supervision` names, and no others.

    Every video is rescaled to spec.snippets; features are in half precision where they can be (see `half_precision`),
    else `notes` says so. `annotator` is not looked at where no clicks are named. `shared`: a folder where the arrays
    are kept for all processes of this machine (see `shared_features`); what goes wrong there is added to `notes`, a
    sentence each. Arrays that do not depend on the annotator are kept for the next call and shared with its result: do
    not write to them. Raises InputError as `check` does.
    """
    dataset, news = _without_clicks(_without_annotators(spec), shared)
    if notes is not None:
        notes.extend(news)
        news.clear()  # said once a process
    return dataclasses.replace(dataset, train=supervise(spec, dataset, annotator, supervision))


def load_truths(spec: DatasetSpec) -> tuple[Annotations, Annotations]:
    """Ground truth of the training and the test videos, as in what `load` gives; no feature is read or simulated.

    Raises InputError where a ground truth cannot be used.
    """
    return _truths(_without_annotators(spec))


def _without_annotators(spec: DatasetSpec) -> str:
    """What decides all but the clicks, as text."""
    without = dataclasses.replace(spec, clicks={}, click_fingerprints={}, clicks_fraction=1.0, clicks_per_minute=None)
    return canonical_json(dataclasses.asdict(without))


@lru_cache(maxsize=2)
def _truths(spec_json: str) -> tuple[Annotations, Annotations]:
    spec = DatasetSpec(**json.loads(spec_json))
    if spec.source == "features":
        return read_truths(spec)
    return simulated_truths(recorded(spec.simulation), read_truths(spec) if spec.ground_truth else None, spec.name)


@lru_cache(maxsize=2)
def _without_clicks(spec_json: str, shared: Path | None) -> tuple[Dataset, list[str]]:
    """Worker processes run many trials on one dataset; its specification, with the fingerprint, is the cache's key.

    Gives also what the user should know of the shared arrays.
    """
    spec = DatasetSpec(**json.loads(spec_json))
    notes: list[str] = []
    if spec.layout.get("name") == CONVERTED:
        train, test = open_cache(Path(spec.root), spec.snippets, checked=False)
    elif shared is None:
        train, test = _splits(spec, notes)
    else:
        place = place_of(shared, spec.fingerprint, spec.snippets)
        train, test = shared_splits(place, lambda folder: _splits(spec, notes, folder), notes)
    train_truth, test_truth = _truths(spec_json)
    stop(shared_videos(train.videos, test.videos))
    dataset = Dataset(
        classes=train_truth.classes, train=train, test=test, train_truth=train_truth, test_truth=test_truth
    )
    return dataset, notes


def _splits(spec: DatasetSpec, notes: list[str], folder: Path | None = None) -> tuple[VideoSet, VideoSet]:
    """Training and test arrays, read or simulated; clicks are those of the training files, if any.

    Where features cannot be kept in half precision, `notes` says so.
    """
    if spec.source == "simulated":
        return simulated_splits(spec, notes)
    return feature_splits(spec, notes, folder)


def simulated_splits(spec: DatasetSpec, notes: list[str]) -> tuple[VideoSet, VideoSet]:
    """Both splits of the simulated stand-in."""
    simulation, truths = recorded(spec.simulation), read_truths(spec) if spec.ground_truth else None
    dataset = simulate(simulation, spec.snippets, truths, spec.name)
    return in_half(dataset.train, notes), in_half(dataset.test, notes)


def feature_splits(spec: DatasetSpec, notes: list[str], folder: Path | None) -> tuple[VideoSet, VideoSet]:
    """Both splits of features that are read, in maps of new files of `folder` where it is given, else in memory."""
    problems: list[str] = []
    train, test = read_splits(spec, problems)
    stop(problems)
    files = [None if folder is None else array_file(folder, split, "features") for split in SPLITS]
    train_videos = train.load(spec.snippets, problems, notes, files[0])
    test_videos = test.load(spec.snippets, problems, notes, files[1])
    stop(problems)
    no_clicks = np.zeros_like(test_videos.background_clicks)
    return train_videos, dataclasses.replace(test_videos, background_clicks=no_clicks)


def _check_features(spec: DatasetSpec, problems: list[str]) -> dict[str, float]:
    """Seconds by training video. A file already reported has none; no click of it is reported then."""
    if spec.layout.get("name") == CONVERTED:
        videos = check_cache(Path(spec.root), spec.snippets, *read_truths(spec))
        return dict(zip(videos.videos, videos.duration.tolist(), strict=True))
    train, test = read_splits(spec, problems)
    problems += shared_videos(train.files, test.files)
    durations = stated_seconds(train.truth) | {name: duration for name, _, duration in train.videos(problems)}
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


def stop(problems: list[str]) -> None:
    """Raise InputError where there is any problem; of very many, the first are listed and the rest counted."""
    more = len(problems) - LISTED
    if more > 0:
        raise InputError(
            [*problems[:LISTED], f"and {more} more problem{'s' if more > 1 else ''}; fix those above first"]
        )
    if problems:
        raise InputError(problems)
