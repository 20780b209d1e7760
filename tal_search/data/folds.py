"""Folds of a dataset: each tests some subjects and trains on all others, as leave-one-subject-out does.

Both subsets of the ground truth are pooled. A video's subject is what a regular expression finds in its name; subjects
are in natural order (user2 before user10), and fold f of N tests the subjects f, f + N, f + 2 N and so on.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tal_search.data.clicks.clicks import Clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.splits import require_disjoint, restrict
from tal_search.errors import InputError
from tal_search.files.json_reader import brief, read_object
from tal_search.text.name_patterns import group_of, pattern_problem
from tal_search.text.words import counted, some_of
from tal_search.types import Annotations, Dataset, Ints, VideoSet

EDGE_SECONDS = 0.05  # from the end of a video at which an instance counts as cut
CUT_SHARE = 0.5  # of the training videos, but not of the test videos, from which they count as cut
FEWEST = 2  # folds: with one, nothing would be left to train on


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """The key of natural order, in which user2 is before user10."""
    parts = re.split(r"(\d+)", text)
    return tuple((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts if part)


def subjects_of(names: Iterable[str], pattern: str, place: str = "") -> tuple[tuple[str, ...], Ints]:
    """The subjects in natural order, and the index of each video's. Raises InputError as `require_folds`."""
    names = tuple(names)
    key = f"{place}{': ' if place else ''}dataset.folds.by is '{brief(pattern)}', which"
    problem = pattern_problem(pattern, max(map(len, names), default=0))
    if problem is not None:
        raise InputError(f"{key} {problem}")
    found = [group_of(name, pattern) for name in names]
    lost = [name for name, subject in zip(names, found, strict=True) if not subject]
    if lost:
        seen = f"finds no subject in the names of {len(lost)} of {len(names)} videos ({some_of(lost, 5)})"
        raise InputError(f"{key} {seen}; correct it so that it finds one in every name")
    subjects = tuple(sorted({subject for subject in found if subject}, key=natural))
    index_of = {subject: index for index, subject in enumerate(subjects)}
    return subjects, np.array([index_of[str(subject)] for subject in found], np.int64)


def require_folds(
    truths: tuple[Annotations, Annotations], pattern: str, of: int, places: tuple[str, str]
) -> tuple[str, ...]:
    """The subjects. Raises InputError where there cannot be `of` folds; places: of `by` and `of`, to begin sentences.

    Because a pattern is bad or videos have no subject, of fewer subjects than folds, or of folds that would test or
    train on no instance.
    """
    if not pattern:
        raise InputError(f"{places[0]}: dataset.folds.by is missing; give a pattern that finds the subject in a name")
    require_disjoint(truths[0].videos, truths[1].videos)
    truth = joint(*truths)
    subjects, subject_V = subjects_of(truth.videos, pattern, places[0])
    if len(subjects) < of:
        seen = f"{of}, but dataset.folds.by finds only {counted(len(subjects), 'subject')} ({some_of(list(subjects))})"
        fix = f"give at most {len(subjects)}" if len(subjects) >= FEWEST else "give a pattern that tells them apart"
        raise InputError(f"{places[1]}: dataset.folds.of is {seen}; {fix}")
    count_S = np.bincount(subject_V[truth.video], minlength=len(subjects))
    empty = [fold for fold in range(of) if count_S[fold::of].sum() in (0, count_S.sum())]
    if empty:
        tested = [subject for fold in empty for subject in subjects[fold::of]]
        seen = f"{len(empty)} of {of} folds test or train on no instance ({some_of(tested)})"
        fix = "give fewer folds, or leave out the videos of these subjects"
        raise InputError(f"{places[1]}: dataset.folds.of is {of}, but {seen}; {fix}")
    return subjects


def folds_of(spec: DatasetSpec) -> tuple[int | None, ...]:
    """The folds of a dataset by number; only None where there are none."""
    return tuple(range(spec.folds["of"])) if spec.folds else (None,)


def fold_note(spec: DatasetSpec, truths: tuple[Annotations, Annotations]) -> str:
    """The sizes of a dataset's folds in words, and the subjects with videos in both splits; truths: of the splits."""
    of, subjects, truth = spec.folds["of"], spec.folds["subjects"], joint(*truths)
    fold_V = subjects_of(truth.videos, spec.folds["by"])[1] % of
    counts = [np.bincount(rows, minlength=of) for rows in (fold_V, fold_V[truth.video])]
    tested = [f"{low}" if low == high else f"{low} to {high}" for low, high in ((c.min(), c.max()) for c in counts)]
    names = [{str(group_of(video, spec.folds["by"])) for video in split.videos} for split in truths]
    both = [subject for subject in subjects if all(subject in split for split in names)]
    split = f"{len(both)} of them have videos in both splits ({some_of(both)})" if both else "none has videos in both"
    return (
        f"folds: {of} over {counted(len(subjects), 'subject')}; a fold tests {tested[0]} of {len(truth.videos)} videos "
        f"and {tested[1]} of {len(truth.label)} instances; {split if both else f'{split} splits'}"
    )


def split_notes(path: Path, truths: tuple[Annotations, Annotations]) -> list[str]:
    """What makes folds unclean, because the data were made for the split of the ground truth at `path`.

    Its maker says so under `made_for_split`, a list of words; or only its training videos are cut through instances.
    """
    stated = read_object(path, "database").content.get("made_for_split")
    reasons = [brief(reason) for reason in stated] if isinstance(stated, list) else []
    cut, whole = (_cut_share(truth) for truth in truths)
    if not reasons and cut >= CUT_SHARE > whole:
        reasons = [f"{cut:.0%} of the training videos begin or end inside an instance, {whole:.0%} of the test videos"]
    if not reasons:
        return []
    told = "folds: the data were made for the split of the ground truth, and each fold tests people of both parts"
    return [f"{told} ({'; '.join(reasons)}): scores are no clean leave-out; make features of each video by itself"]


def _cut_share(truth: Annotations) -> float:
    """The share of the videos whose first or last moment lies inside an instance."""
    start, end = truth.segment.T
    at_edge = (start <= EDGE_SECONDS) | (end >= truth.duration[truth.video] - EDGE_SECONDS)
    return len(np.unique(truth.video[at_edge])) / max(1, len(truth.videos))


def fold_facts(spec: DatasetSpec) -> dict[str, object]:
    """What tables say of a dataset's folds: `by`, `of` and the number of `subjects`; empty where there are none."""
    folds = spec.folds
    return {"by": folds["by"], "of": folds["of"], "subjects": len(folds["subjects"])} if folds else {}


def fold_words(spec: DatasetSpec) -> str:
    """The fold at the end of a trial's description; "" where there are none."""
    return "" if spec.fold is None else f" fold={spec.fold}"


def truths_in_fold(spec: DatasetSpec, truths: tuple[Annotations, Annotations]) -> tuple[Annotations, Annotations]:
    """Ground truth of the training and the test videos of `spec.fold`; of all videos, twice, where it is None."""
    if not spec.folds:
        return truths
    truth = joint(*truths)
    if spec.fold is None:
        return truth, truth
    tested_V = _tested(spec, truth.videos)
    both = (tuple(name for name, mine in zip(truth.videos, tested_V, strict=True) if mine == is_test)
            for is_test in (False, True))  # fmt: skip
    train, test = (restrict(truth, videos) for videos in both)
    return train, test


def in_fold(spec: DatasetSpec, dataset: Dataset) -> Dataset:
    """The dataset with the training and test videos of `spec.fold`, which copies the features; itself without folds.

    A test video keeps no clicks.
    """
    if not spec.folds:
        return dataset
    sets = (dataset.train, dataset.test)
    tested = [_tested(spec, videos.videos) for videos in sets]
    train, test = (
        _together([videos.subset(np.flatnonzero(mine == is_test)) for videos, mine in zip(sets, tested, strict=True)])
        for is_test in (False, True)
    )
    test = dataclasses.replace(test, background_clicks=np.zeros_like(test.background_clicks))
    train_truth, test_truth = truths_in_fold(spec, (dataset.train_truth, dataset.test_truth))
    return dataclasses.replace(dataset, train=train, test=test, train_truth=train_truth, test_truth=test_truth)


def joint(train: Annotations, test: Annotations) -> Annotations:
    """The ground truth of both subsets together, the training videos first."""
    assert train.classes == test.classes, "both are of one file"
    ambiguous = [_ambiguous(truth) for truth in (train, test)]
    return dataclasses.replace(
        train,
        videos=train.videos + test.videos,
        video=np.concatenate([train.video, test.video + len(train.videos)]),
        label=np.concatenate([train.label, test.label]),
        segment=np.concatenate([train.segment, test.segment]),
        duration=np.concatenate([train.duration, test.duration]),
        ambiguous=joint(*ambiguous) if train.ambiguous or test.ambiguous else None,
    )


def _ambiguous(truth: Annotations) -> Annotations:
    """The ambiguous instances of a ground truth, which may be none."""
    if truth.ambiguous is not None:
        return truth.ambiguous
    nothing = np.zeros(0, np.int64)
    return dataclasses.replace(truth, video=nothing, label=nothing, segment=np.zeros((0, 2)), ambiguous=None)


def _tested(spec: DatasetSpec, names: tuple[str, ...]) -> np.ndarray:
    """bool [V]: whether the fold tests each video. The order of subjects is that of the whole dataset."""
    assert spec.fold is not None, "a trial reads one fold"
    tested = set(spec.folds["subjects"][spec.fold :: spec.folds["of"]])
    return np.array([group_of(name, spec.folds["by"]) in tested for name in names], np.bool_)


def _together(sets: list[VideoSet]) -> VideoSet:
    """Videos of both subsets in one set, padded to the longer one's T, without instances, which `supervise` adds."""
    snippets = max(videos.features.shape[-1] for videos in sets)
    names = ["labels", "duration", "frames", *(() if sets[0].length is None else ("length", "start", "extent"))]
    arrays = {name: np.concatenate([getattr(videos, name) for videos in sets]) for name in names}
    arrays |= {
        name: np.concatenate([_padded(getattr(videos, name), snippets) for videos in sets])
        for name in ("features", "background_clicks")
    }
    return VideoSet.labelled(videos=sets[0].videos + sets[1].videos, **arrays)


def _padded(sequences: np.ndarray, snippets: int) -> np.ndarray:
    """The arrays [..., T] with zeros up to `snippets`."""
    missing = snippets - sequences.shape[-1]
    return np.pad(sequences, [(0, 0)] * (sequences.ndim - 1) + [(0, missing)]) if missing else sequences


def unclicked_note(path: object, kind: str, clicks: Clicks) -> Iterator[str]:
    """A note on videos without a click in a click file, which every fold but their own trains on."""
    clicked = set(clicks.video.tolist())
    lost = [name for index, name in enumerate(clicks.videos) if index not in clicked]
    if lost:
        yield f"{path}: no {kind} on {len(lost)} of the {len(clicks.videos)} videos of all folds ({some_of(lost, 3)})"
