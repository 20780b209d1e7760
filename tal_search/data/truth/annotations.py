"""Ground-truth instances and detections in ActivityNet-style JSON.

Ground truth: {"database": {VIDEO: {"subset", "duration"?, "annotations": [{"segment": [start, end], "label"}]}},
"activity_list"?: [label, ...]}. Detections: {"results": {VIDEO: [{"label", "score", "segment"}]}}. Times are seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeGuard, get_args

import numpy as np

from tal_search.data.definition import DatasetDefinition
from tal_search.data.truth.ambiguous import AMBIGUOUS
from tal_search.data.truth.labels import (
    NAMED,
    Labels,
    Use,
    described,
    read_as,
    read_labels,
    respelling_notes,
    split_name,
)
from tal_search.errors import InputError, Problems
from tal_search.files.atomic import write_json
from tal_search.files.json_reader import brief, items_of, number_of, read_object, segment_of
from tal_search.text.words import counted, some_of
from tal_search.types import Annotations, Detections

Unknown = Literal["error", "ignore", "count"]
Row = tuple[str, str, tuple[float, float], float]  # video, label, segment, score


def read_annotations(
    path: Path, subset: str, dataset: DatasetDefinition | None = None, notes: list[str] | None = None
) -> Annotations:
    """Ground-truth instances of the videos of one subset, in the order of the file, duplicates kept.

    subset: in any case, and all usual names of its split (see `split_name`); adds a note where the file has several.
    classes: see `read_labels`, which has the meaning of `dataset`; adds a note on labels in another spelling. Videos
    without an instance are kept. So are instances of no length: no detection can find them, but they count in every
    recall, as in the official evaluation of ActivityNet (`lasting` drops them). Instances labelled "Ambiguous" are
    neither trained on nor scored: they are in `ambiguous` of the result. duration: NaN where not given.
    Raises InputError: no such file, not JSON, subset or instances absent, segments that are not finite or end before
    they start, labels that are no class.
    """
    file = read_object(path, "database")
    problems = file.problems
    entries = _entries_of(file.entries, subset, problems)
    labels = read_labels(file, entries, dataset)
    video, label, segments = _instances(entries, labels, problems)
    duration = [_duration(name, entry, problems) for name, entry in entries.items()]
    if max(label, default=-1) < 0 and not problems:
        problems.add(f"subset '{subset}' has no instance in its {len(entries)} videos; choose one with annotations")
    problems.raise_if_any()
    if notes is not None:
        notes += [*_mixed_names(path, entries), *labels.notes(path)]
    truth = Annotations(
        videos=tuple(entries),
        classes=labels.classes,
        video=np.array(video, np.int64),
        label=np.array(label, np.int64),
        segment=np.array(segments, np.float64),
        duration=np.array(duration, np.float64),
    )
    return _separate_ambiguous(truth)


def _instances(
    entries: dict[str, dict[str, object]], labels: Labels, problems: Problems
) -> tuple[list[int], list[int], list[tuple[float, float]]]:
    """Row of the video, class (-1: ambiguous) and segment of each instance; a problem for each without a segment."""
    position = {AMBIGUOUS: -1} | {name: index for index, name in enumerate(labels.classes)}
    video, label, segments = [], [], []
    for row, (name, entry) in enumerate(entries.items()):
        for where, instance in items_of(f"database.{name}.annotations", entry.get("annotations"), problems):
            segment, text = segment_of(where, instance, problems, may_be_empty=True), instance.get("label")
            if _is_label(text, where, problems) and segment is not None and text in labels.named:
                video.append(row)
                label.append(position[labels.named[text]])
                segments.append(segment)
    return video, label, segments


def _separate_ambiguous(truth: Annotations) -> Annotations:
    """The ground truth with its instances of label -1 moved into `ambiguous`, which stays None without any."""
    kept, unclear = (
        replace(truth, **{name: getattr(truth, name)[rows] for name in ("video", "label", "segment")})
        for rows in (truth.label >= 0, truth.label < 0)
    )
    if not len(unclear.label):
        return kept
    return replace(kept, ambiguous=replace(unclear, classes=(AMBIGUOUS,), label=np.zeros_like(unclear.label)))


def read_detections(
    path: Path,
    classes: tuple[str, ...],
    videos: tuple[str, ...],
    unknown: Unknown = "error",
    notes: list[str] | None = None,
) -> Detections:
    """Detections of a file, in its order, with the classes and videos of a ground truth.

    A label that differs from a class only by case or separators is read as that class, which adds a note. unknown: how
    to treat a detection whose label or video is not among them. `error`: InputError names each. `ignore`: dropped, not
    counted. `count`: kept, with `classes` and `videos` of the result extended in order of appearance; in an unknown
    video it is a false positive of its class, with an unknown label it is counted but changes no AP.
    Raises InputError: no such file, not JSON, scores or segments that are not finite, segments not longer than 0 s.
    """
    if unknown not in get_args(Unknown):
        raise InputError(f"unknown={unknown} must be one of {', '.join(get_args(Unknown))}")
    file = read_object(path, "results")
    problems = file.problems
    rows = list(_detection_rows(file.entries, problems))
    counts = Counter(row[1] for row in rows)
    named = read_as(counts, classes)
    if unknown == "error":
        _report_unknown(rows, classes, set(videos), named, problems)
    problems.raise_if_any()
    if notes is not None:
        notes += respelling_notes(path, counts, named, "detection")
    if unknown == "ignore":
        known = set(videos)
        rows = [row for row in rows if row[0] in known and row[1] in named]
    return _detections(rows, named, classes, videos)


def _detections(
    rows: list[Row], named: dict[str, str], classes: tuple[str, ...], videos: tuple[str, ...]
) -> Detections:
    """Detections, `classes` and `videos` extended by those of the rows; named: label → class, without the unknown."""
    class_of = {row[1]: named.get(row[1], row[1]) for row in rows}
    videos = tuple(dict.fromkeys([*videos, *(row[0] for row in rows)]))
    classes = tuple(dict.fromkeys([*classes, *class_of.values()]))
    video_index = {name: index for index, name in enumerate(videos)}
    index = {name: index for index, name in enumerate(classes)}
    class_index = {label: index[name] for label, name in class_of.items()}
    return Detections(
        videos=videos,
        classes=classes,
        video=np.array([video_index[row[0]] for row in rows], np.int64),
        label=np.array([class_index[row[1]] for row in rows], np.int64),
        segment=np.array([row[2] for row in rows], np.float64).reshape(-1, 2),
        score=np.array([row[3] for row in rows], np.float64),
    )


def write_detections(path: Path, detections: Detections) -> None:
    """Write ActivityNet-style JSON atomically; videos without a detection have an empty list.

    The file groups rows by video: rows grouped in the order of `videos` are read back in the same order.
    Raises ValueError where a score or a segment is not finite.
    """
    results: dict[str, list[dict[str, object]]] = {name: [] for name in detections.videos}
    columns = (detections.video, detections.label, detections.score, detections.segment)
    for video, label, score, segment in zip(*(column.tolist() for column in columns), strict=True):
        row = {"label": detections.classes[label], "score": score, "segment": segment}
        results[detections.videos[video]].append(row)
    write_json(path, {"version": "VERSION 1.3", "results": results, "external_data": {}})


def _entries_of(database: dict[str, object], subset: str, problems: Problems) -> dict[str, dict[str, object]]:
    """The videos of one subset. Raises InputError, listing the subsets present, where it has none."""
    present: Counter[str] = Counter()
    entries = {}
    for name, entry in database.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("subset"), str):
            problems.add(f"database.{name} has no subset (seen {brief(entry)}); give it one", "no subset")
            continue
        present[entry["subset"]] += 1
        if split_name(entry["subset"]) == split_name(subset):
            entries[name] = entry
    if not entries:
        listed = ", ".join(f"'{name}' ({count} videos)" for name, count in present.most_common()) or "none"
        problems.add(f"subset '{subset}' is not in the file; subsets present: {listed}")
        problems.raise_if_any()
    return entries


def _mixed_names(path: Path, entries: dict[str, dict[str, object]]) -> list[str]:
    """A note where the videos of one subset name it differently."""
    names = Counter(str(entry["subset"]) for entry in entries.values()).most_common()
    items = [f"'{brief(name)}' ({counted(number, 'video')})" for name, number in names]
    return [f"{path}: several names of one subset are read as one: {some_of(items)}"] if len(items) > 1 else []


def _detection_rows(results: dict[str, object], problems: Problems) -> Iterator[Row]:
    for name, items in results.items():
        for where, item in items_of(f"results.{name}", items, problems):
            segment, label = segment_of(where, item, problems), item.get("label")
            score = number_of(item.get("score"))
            if not math.isfinite(score):
                problems.add(f"{where}.score is {brief(item.get('score'))}; give a finite number", "no score")
            if _is_label(label, where, problems) and segment is not None:
                yield name, label, segment, score


def _is_label(label: object, where: str, problems: Problems) -> TypeGuard[str]:
    """Whether a label is the name of something; a problem where it is not."""
    if isinstance(label, str) and label.strip():
        return True
    problems.add(f"{where}.label is {brief(label).strip() or 'empty'}; give the name of a class", "no label")
    return False


def _report_unknown(
    rows: list[Row], classes: tuple[str, ...], videos: set[str], named: dict[str, str], problems: Problems
) -> None:
    """Add a problem on unknown videos and one on unknown labels, each with its number of detections."""
    ways = "remove them, or set unknown=ignore (drop) or unknown=count (false positives)"
    strange = Counter(row[0] for row in rows if row[0] not in videos)
    if strange:
        items = [f"'{brief(name)}' ({counted(number, 'detection')})" for name, number in strange.items()]
        of = f"{counted(len(strange), 'video')} that are not among the {len(videos)} of the subset"
        problems.add(f"has detections in {of}: {some_of(items, NAMED)}; {ways}")
    wrong = Counter(row[1] for row in rows if row[1] not in named)
    if wrong:
        listed = described({label: Use(number) for label, number in wrong.items()}, classes, "detection")
        problems.add(f"labels that are no class of the ground truth: {listed}; {ways}")


def _duration(name: str, entry: dict[str, object], problems: Problems) -> float:
    value = entry.get("duration")
    duration = number_of(value)
    if value is not None and not (math.isfinite(duration) and duration > 0):
        seen = f"database.{name}.duration is {brief(value)}"
        problems.add(f"{seen}; give a positive number of seconds, or leave it out", "no duration")
    return duration
