"""Survey of a dataset on disk: counts and durations of its splits and clicks, with every problem in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.cache import CONVERTED, check_cache, open_cache
from tal_search.data.features.split_reader import FeatureSplit, read_splits, read_truths
from tal_search.data.folds import fold_note, split_notes, truths_in_fold
from tal_search.data.splits import require_disjoint
from tal_search.data.supervision import clicks_made
from tal_search.data.truth.truth_notes import dataset_notes
from tal_search.data.truth.truths import stated_seconds
from tal_search.errors import LISTED_IN_ALL, Problems
from tal_search.types import Annotations, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class SplitSurvey:
    """One split: its N videos, their seconds float64 [N] and stored snippets int64 [N]; its instances and classes."""

    name: str
    videos: tuple[str, ...]
    seconds: Floats
    snippets: Ints
    instances: int
    classes: int


@dataclass(frozen=True, kw_only=True)
class ClickSurvey:
    """The clicks of one annotator and kind on the training videos: their number, videos with a click, clicks a minute.

    drawn: how they are simulated (see `DatasetSpec.clickers`), "" for clicks of a file.
    """

    kind: str
    annotator: str
    clicks: int
    videos: int
    per_minute: float
    drawn: str = ""


def survey(spec: DatasetSpec, notes: list[str]) -> tuple[list[SplitSurvey], list[ClickSurvey]]:
    """Read every file, one video in memory at a time; adds notes on the annotations for the user.

    Raises InputError with every problem of features, ground truth and clicks.
    """
    problems = Problems(most=LISTED_IN_ALL)
    splits: list[SplitSurvey] = []
    seconds: dict[str, float] = {}
    with problems.gather():
        truths = read_truths(spec)
        seconds, tested = map(stated_seconds, truths)
        if spec.layout["name"] == CONVERTED:
            splits = _of_cache(spec, *truths, seconds, tested)
        else:
            both = read_splits(spec, problems)
            with problems.gather():
                require_disjoint(both[0].files, both[1].files)
            for name, split in zip(("training", "test"), both, strict=True):
                splits.append(_of_files(name, split, problems, seconds if name == "training" else tested))
                notes += split.notes
        notes += dataset_notes(spec, seconds | tested)
        if spec.folds:
            notes += [fold_note(spec, truths), *split_notes(Path(spec.ground_truth), truths)]
            truths, seconds = truths_in_fold(spec, truths), seconds | tested
    clicks = []
    for kind, files in spec.clicks.items():
        for annotator, path in files.items():
            if (path or kind in spec.clickers) and seconds:
                with problems.gather():
                    clicks.append(_of_clicks(spec, kind, annotator, truths, seconds, notes))
    problems.raise_if_any()
    return splits, clicks


def _of_clicks(
    spec: DatasetSpec, kind: str, annotator: str, truths: tuple[Annotations, Annotations], seconds: dict[str, float],
    notes: list[str],
) -> ClickSurvey:  # fmt: skip
    """Survey of the clicks of one kind by one annotator, drawn or read; seconds: by training video."""
    read = clicks_made(spec, kind, annotator, seconds, *truths, notes)
    assert read is not None, "not those of the feature files"
    minutes = sum(filter(math.isfinite, seconds.values())) / 60
    return ClickSurvey(
        kind=kind, annotator=annotator, clicks=len(read.time), videos=len(set(read.video.tolist())),
        per_minute=len(read.time) / minutes if minutes else math.nan, drawn=spec.clickers.get(kind, ""),
    )  # fmt: skip


def _of_files(name: str, split: FeatureSplit, problems: Problems, seconds: dict[str, float]) -> SplitSurvey:
    """Survey of one split of feature files; adds the seconds of each valid video to `seconds`."""
    videos, durations, snippets = [], [], []
    for video, file, duration in split.videos(problems):
        seconds[video] = duration
        videos.append(video)
        durations.append(duration)
        snippets.append(file.features.shape[1])
    return _survey(name, videos, np.array(durations), np.array(snippets, np.int64), split.truth)


def _of_cache(
    spec: DatasetSpec, train: Annotations, test: Annotations, *seconds: dict[str, float]
) -> list[SplitSurvey]:
    """Survey of both converted splits; adds the seconds of each video to those of its split."""
    check_cache(Path(spec.root), spec.snippets, train, test)
    splits = open_cache(Path(spec.root), spec.snippets, checked=False)
    for of_split, stored in zip(seconds, splits, strict=True):
        of_split |= dict(zip(stored.videos, stored.duration.tolist(), strict=True))
    both = zip(("training", "test"), splits, (train, test), strict=True)
    return [
        _survey(name, videos.videos, videos.duration, np.full(len(videos.videos), spec.snippets), truth)
        for name, videos, truth in both
    ]


def _survey(name: str, videos: Sequence[str], seconds: Floats, snippets: Ints, truth: Annotations) -> SplitSurvey:
    return SplitSurvey(
        name=name, videos=tuple(videos), seconds=seconds, snippets=snippets,
        instances=len(truth.label), classes=len(set(truth.label.tolist())),
    )  # fmt: skip
