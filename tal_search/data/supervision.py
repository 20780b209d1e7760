"""Adds to training videos the supervision that a method declares, and no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tal_search.data import data_folder
from tal_search.data.clicks.click_budget import within_budget
from tal_search.data.clicks.clicks import BACKGROUND, ClickedVideos, Clicks, of_videos, read_clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.folds import joint, unclicked_note
from tal_search.data.label_budget import within_instances
from tal_search.data.simulation.clickers import CLICKERS, draw_clicks, simulate_clicks
from tal_search.data.splits import restrict
from tal_search.data.truth.truths import rows_by_video, stated_seconds
from tal_search.errors import InputError
from tal_search.types import BACKGROUND_CLICKS, INSTANCES, Annotations, Dataset, Ints, VideoSet, clicks_of

EMBEDDED = "embedded"  # the annotator of background clicks in the feature files


def supervise(spec: DatasetSpec, dataset: Dataset, annotator: str, supervision: tuple[str, ...]) -> VideoSet:
    """The training videos with the clicks and instances that `supervision` names, all others empty.

    dataset: as loaded, with the clicks of the feature files, if any, in its training videos. Its training truth is used
    only for drawn or simulated clicks and INSTANCES. Clicks and instances are those within their budgets. Raises
    InputError where clicks are missing or cannot be used.
    """
    train, truth = dataset.train, dataset.train_truth
    seconds = dict(zip(train.videos, train.duration.tolist(), strict=True))
    timeline = train.timeline
    background = np.zeros(train.background_clicks.shape, np.bool_)
    action = np.zeros(train.action_clicks.shape, np.bool_)  # pages that are never written take no memory
    for kind in clicks_of(supervision):
        made = clicks_made(spec, kind, annotator, seconds, truth, dataset.test_truth)
        clicks = within_budget(spec, _embedded(train) if made is None else made, train.duration)
        snippet = timeline.snippets(clicks.video, clicks.time)
        if kind == BACKGROUND_CLICKS:
            background[clicks.video, snippet] = True
        else:
            action[clicks.video, clicks.label, snippet] = True
    segments, labels = train.segments, train.segment_labels
    if INSTANCES in supervision:
        segments, labels = _instances(train, within_instances(spec, annotator, truth))
    return dataclasses.replace(
        train, background_clicks=background, action_clicks=action, segments=segments, segment_labels=labels
    )


def clicks_made(
    spec: DatasetSpec, kind: str, annotator: str, seconds: dict[str, float], train: Annotations, test: Annotations,
    notes: list[str] | None = None,
) -> Clicks | None:  # fmt: skip
    """All clicks of one kind by one annotator, read, drawn or simulated; None where the feature files hold them.

    seconds: duration by training video. Adds notes on click files. Raises InputError where the clicks are missing or
    cannot be used.
    """
    notes = [] if notes is None else notes
    if spec.folds:  # a file's unit and a clicker's draws must not depend on the fold
        return _of_all_folds(spec, kind, annotator, seconds, train, test, notes)
    path = click_file(spec, kind, annotator)
    if path is not None:
        return read_clicks(path, kind, annotator, clicked_videos(spec, seconds, train, test), notes)
    if annotator == EMBEDDED:
        return None
    if kind in spec.clickers:
        return draw_clicks(kind, spec.clickers[kind], annotator, train, seconds)
    return simulate_clicks(kind, train, np.array(list(seconds.values())), annotator, spec.simulation["seed"])


def _of_all_folds(
    spec: DatasetSpec, kind: str, annotator: str, seconds: dict[str, float], train: Annotations, test: Annotations,
    notes: list[str],
) -> Clicks | None:  # fmt: skip
    """The clicks on the training videos of a fold, from those on the videos of all folds, in order of their names."""
    known = stated_seconds(test) | seconds
    order = tuple(sorted(known))
    # Without a number of the fold, both truths are that of all videos (see `truths_in_fold`).
    truth = restrict(train if spec.fold is None else joint(train, test), order)
    by_video = np.argsort(truth.video, kind="stable")
    columns = {name: getattr(truth, name)[by_video] for name in ("video", "label", "segment")}
    truth = dataclasses.replace(truth, **columns)
    path = click_file(spec, kind, annotator)
    if path is None and annotator != EMBEDDED:
        ends = np.zeros(len(order))
        np.maximum.at(ends, truth.video, truth.segment[:, 1])  # of a test video whose duration is unknown
        known = {name: known[name] if np.isfinite(known[name]) else end for name, end in zip(order, ends, strict=True)}
    whole = dataclasses.replace(spec, folds={}, fold=None)
    clicks = clicks_made(whole, kind, annotator, {name: known[name] for name in order}, truth, truth, notes)
    if clicks is not None and path is not None:
        notes += unclicked_note(path, kind, clicks)
    return clicks and of_videos(clicks, tuple(seconds))


def _embedded(train: VideoSet) -> Clicks:
    """The background clicks of the feature files, each in the middle of its snippet."""
    video, snippet = np.nonzero(train.background_clicks)
    time = train.timeline.seconds(video, snippet + 0.5)
    rows = [(row, second, BACKGROUND) for row, second in zip(video.tolist(), time.tolist(), strict=True)]
    return Clicks.of(BACKGROUND_CLICKS, EMBEDDED, train.videos, rows)


def _instances(train: VideoSet, truth: Annotations) -> tuple[NDArray[np.float32], Ints]:
    """Instances in the order of the ground truth: float32 [N, K, 2] snippets, clipped to the video, and labels [N, K].

    Labels are -1 where a video has fewer than K. An instance outside its video is dropped.
    """
    timeline = train.timeline
    row_of = {video: row for row, video in enumerate(truth.videos)}
    rows = rows_by_video(truth)
    found = []
    for place, video in enumerate(train.videos):
        mine = rows[row_of[video]] if video in row_of else np.zeros(0, np.int64)
        here = np.full(len(mine), place)
        segments = timeline.positions(here, truth.segment[mine]).clip(0, timeline.length[place])
        inside = segments[:, 1] > segments[:, 0]
        found.append((segments[inside], truth.label[mine][inside]))
    most = max((len(labels) for _, labels in found), default=0)
    segments_NK2 = np.zeros((len(found), most, 2), np.float32)
    labels_NK = np.full((len(found), most), -1, np.int64)
    for row, (segments, labels) in enumerate(found):
        segments_NK2[row, : len(labels)], labels_NK[row, : len(labels)] = segments, labels
    return segments_NK2, labels_NK


def click_file(spec: DatasetSpec, kind: str, annotator: str) -> Path | None:
    """The annotator's click file; None for simulated clicks and those in the feature files. InputError without any."""
    files = spec.clicks[kind]
    if annotator not in files:
        present = ", ".join(files) or "none"
        missing = f"{data_folder.CLICK_FILES[kind]}{annotator}.txt"
        raise InputError(f"annotator '{annotator}' has no {kind} in {spec.name}; found: {present}; add {missing}")
    path = files[annotator]
    assert path or annotator == EMBEDDED or annotator in CLICKERS or kind in spec.clickers, annotator
    return Path(path) if path else None


def clicked_videos(
    spec: DatasetSpec, seconds: dict[str, float], train: Annotations, test: Annotations
) -> ClickedVideos:
    """The videos and classes that a click file of this dataset must match; seconds by training video."""
    fps = data_folder.subsets_and_fps(Path(spec.ground_truth), spec.facts.splits)[2]
    return ClickedVideos(seconds=seconds, fps=fps, classes=train.classes, others=frozenset(test.videos))
