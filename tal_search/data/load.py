"""Loading a dataset that `find` described: one check of every file before a study starts, then a trial's arrays."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tal_search.data.data_folder import click_notes
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.cache import CONVERTED, check_cache, open_cache
from tal_search.data.features.half_precision import in_half
from tal_search.data.features.shared import SPLITS, array_file, place_of, shared_splits
from tal_search.data.features.split_reader import read_splits, read_truths
from tal_search.data.folds import fold_note, folds_of, in_fold, split_notes, truths_in_fold
from tal_search.data.simulation.videos import recorded, require_durations, simulate, simulated_truths
from tal_search.data.splits import protocol_holdout, require_disjoint, restrict
from tal_search.data.supervision import click_file, clicks_made, supervise
from tal_search.data.truth.truth_notes import dataset_notes
from tal_search.data.truth.truths import present, stated_seconds
from tal_search.errors import LISTED_IN_ALL, Problems
from tal_search.types import Annotations, Dataset, VideoSet, canonical_json


def check(spec: DatasetSpec, annotators: tuple[str, ...], kinds: tuple[str, ...]) -> list[str]:
    """Read every file once, one video in memory at a time, and raise InputError with every problem.

    Problems are: videos without a file or without ground truth, files that cannot be trusted, channel and class counts
    that differ, a split without instances, labels outside the class list, clicks outside their video, annotators
    without clicks of one of `kinds`. Returns notes on the annotations for the user.
    """
    problems = Problems(most=LISTED_IN_ALL)
    notes: list[str] = []
    durations: dict[str, float] = {}
    tested: dict[str, float] = {}
    with problems.gather():
        if spec.source == "features":
            durations = stated_seconds(load_truths(spec)[0])
            _check_features(spec, durations, tested, problems, notes)
            read = [Path(path) for files in spec.clicks.values() for path in files.values() if path]
            notes += click_notes(Path(spec.root), spec.name, read)
        else:
            durations = _check_timeline(spec, tested)
        if spec.ground_truth:
            notes += dataset_notes(spec, durations | tested)
        if spec.folds:
            both = LOADED.truths(_without_annotators(spec))
            notes += [fold_note(spec, both), *(split_notes(Path(spec.ground_truth), both) if spec.ground_truth else ())]
    for kind, annotator in itertools.product(kinds, annotators):
        with problems.gather():
            path = click_file(spec, kind, annotator)
            if kind in spec.clickers or (path and durations):
                truths = load_truths(spec)
                seconds = durations | tested if spec.folds else durations
                clicks_made(spec, kind, annotator, seconds or stated_seconds(truths[0]), *truths, notes)
    problems.raise_if_any()
    return notes


def load(
    spec: DatasetSpec,
    annotator: str,
    supervision: tuple[str, ...],
    shared: Path | None = None,
    notes: list[str] | None = None,
) -> Dataset:
    """The dataset with the clicks of one annotator and the instances that `supervision` names, and no others.

    Every video is rescaled to spec.snippets, or has its stored snippets where `spec.sampled` asks for them (simulated
    videos always have T); features are in half precision where that loses next to nothing (see
    `half_precision`), else a note says so. `annotator` is ignored where `supervision` names no clicks. `shared`: a
    folder for arrays that all processes of this machine map (see `features.shared`); failures there become notes.
    The process keeps the arrays for its next call (see LOADED): do not write to them. Raises InputError as `check`.
    """
    whole, news = LOADED.datasets(_without_annotators(spec), shared)
    if notes is not None:
        notes.extend(news)
        news.clear()  # once per process
    dataset = in_fold(spec, whole)
    return dataclasses.replace(dataset, train=supervise(spec, dataset, annotator, supervision))


def load_truths(spec: DatasetSpec) -> tuple[Annotations, Annotations]:
    """Ground truth of the training and the test videos, equal to that of `load`, without reading any features.

    Of folds without a number, that of all videos, twice.

    Raises InputError where a ground truth cannot be used.
    """
    return truths_in_fold(spec, LOADED.truths(_without_annotators(spec)))


def training_truth(spec: DatasetSpec, protocol: Mapping[str, Any]) -> Annotations:
    """Ground truth of the videos that fits train on before any budget: neither tested by the fold nor held out.

    Of folds without a number, that of the first. Raises InputError where a ground truth cannot be used, or where no
    video can be held out.
    """
    truth, _ = load_truths(dataclasses.replace(spec, fold=folds_of(spec)[0]) if spec.fold is None else spec)
    if protocol["selection"] != "holdout":
        return truth
    rows, _ = protocol_holdout(truth.videos, present(truth), protocol)
    return restrict(truth, tuple(truth.videos[row] for row in rows))


class LoadedDatasets:
    """The datasets that this process used last: a worker runs many trials on one of them and reads its files once.

    Keys are specifications without clicks and budgets, as JSON; their fingerprint changes with the content of the
    files.
    """

    def __init__(self) -> None:
        self.truths = lru_cache(maxsize=2)(_truths)
        self.datasets = lru_cache(maxsize=2)(_without_clicks)

    def clear(self) -> None:
        """Forget all, as in a new process. Arrays in use stay valid."""
        self.truths.cache_clear()
        self.datasets.cache_clear()


def _without_annotators(spec: DatasetSpec) -> str:
    """The specification without clicks, budgets and folds, as JSON; sampling of stored snippets has no T here."""
    without = dataclasses.replace(
        spec, clicks={}, click_fingerprints={}, clicks_per_minute=None, shares={}, folds={}, fold=None, clickers={},
        sampling={}, snippets=spec.kept_snippets,
    )  # fmt: skip
    return canonical_json(dataclasses.asdict(without))


def _truths(spec_json: str) -> tuple[Annotations, Annotations]:
    spec = DatasetSpec(**json.loads(spec_json))
    if spec.source == "features":
        return read_truths(spec)
    return simulated_truths(recorded(spec.simulation), read_truths(spec) if spec.ground_truth else None, spec.facts)


def _without_clicks(spec_json: str, shared: Path | None) -> tuple[Dataset, list[str]]:
    """The dataset without clicks, and notes on its features for the user."""
    spec = DatasetSpec(**json.loads(spec_json))
    notes: list[str] = []
    if spec.layout.get("name") == CONVERTED:
        train, test = open_cache(Path(spec.root), spec.snippets, checked=False)
    elif shared is None:
        train, test = _splits(spec, notes)
    else:
        place = place_of(shared, spec.fingerprint, spec.snippets)
        train, test = shared_splits(place, lambda folder: _splits(spec, notes, folder), notes)
    train_truth, test_truth = LOADED.truths(spec_json)
    require_disjoint(train.videos, test.videos)
    dataset = Dataset(
        classes=train_truth.classes, train=train, test=test, train_truth=train_truth, test_truth=test_truth
    )
    return dataset, notes


LOADED = LoadedDatasets()


def _splits(spec: DatasetSpec, notes: list[str], folder: Path | None = None) -> tuple[VideoSet, VideoSet]:
    """Training and test arrays, read or simulated; clicks are those of the training files, if any.

    Features that cannot be kept in half precision add a note.
    """
    if spec.source == "simulated":
        return simulated_splits(spec, notes)
    return feature_splits(spec, notes, folder)


def simulated_splits(spec: DatasetSpec, notes: list[str]) -> tuple[VideoSet, VideoSet]:
    """Both splits of the simulated stand-in."""
    simulation, truths = recorded(spec.simulation), read_truths(spec) if spec.ground_truth else None
    dataset = simulate(simulation, spec.snippets, truths, spec.facts)
    return in_half(dataset.train, notes), in_half(dataset.test, notes)


def feature_splits(spec: DatasetSpec, notes: list[str], folder: Path | None) -> tuple[VideoSet, VideoSet]:
    """Both splits read from feature files, as maps of new files in `folder` where it is given, else in memory."""
    problems = Problems(most=LISTED_IN_ALL)
    train, test = read_splits(spec, problems)
    problems.raise_if_any()
    files = [None if folder is None else array_file(folder, split, "features") for split in SPLITS]
    train_videos = train.load(spec.snippets, problems, notes, files[0])
    test_videos = test.load(spec.snippets, problems, notes, files[1])
    problems.raise_if_any()
    no_clicks = np.zeros_like(test_videos.background_clicks)
    return train_videos, dataclasses.replace(test_videos, background_clicks=no_clicks)


def _check_features(
    spec: DatasetSpec, durations: dict[str, float], tested: dict[str, float], problems: Problems, notes: list[str]
) -> None:
    """Replace seconds by training video, as the ground truth states them, by those of the features.

    Adds those of test videos to `tested`.
    """
    if spec.layout.get("name") == CONVERTED:
        check_cache(Path(spec.root), spec.snippets, *read_truths(spec))
        stored = open_cache(Path(spec.root), spec.snippets, checked=False)
        for seconds, split in zip((durations, tested), stored, strict=True):
            seconds.update(zip(split.videos, split.duration.tolist(), strict=True))
        return
    train, test = read_splits(spec, problems)
    with problems.gather():
        require_disjoint(train.files, test.files)
    durations.update((name, duration) for name, _, duration in train.videos(problems))
    tested.update((name, duration) for name, _, duration in test.videos(problems))
    notes += train.notes + test.notes


def _check_timeline(spec: DatasetSpec, tested: dict[str, float]) -> dict[str, float]:
    """Seconds by training video of the real timeline under simulated features; none where the timeline is drawn.

    Adds those of test videos to `tested`.
    """
    if not spec.ground_truth:
        return {}
    train, test = read_truths(spec)
    require_durations(train, test)
    tested.update(zip(test.videos, test.duration.tolist(), strict=True))
    return dict(zip(train.videos, train.duration.tolist(), strict=True))
