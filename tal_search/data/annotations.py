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
from typing import Literal, get_args

import numpy as np

from tal_search.data.ambiguous import AMBIGUOUS
from tal_search.errors import LISTED, InputError, Problems
from tal_search.files.atomic import write_json
from tal_search.files.json_reader import JsonFile, brief, items_of, nearest_of, number_of, read_object, segment_of
from tal_search.types import Annotations, Detections

Unknown = Literal["error", "ignore", "count"]
Row = tuple[str, str, tuple[float, float], float]  # video, label, segment, score


def read_annotations(path: Path, subset: str) -> Annotations:
    """Ground-truth instances of the videos of one subset, in the order of the file, duplicates kept.

    classes: the file's `activity_list` in its order, else the sorted labels of the whole file, so that all subsets
    number them alike. Videos without an instance are kept. So are instances of no length: no detection can find them,
    but they count in every recall, as in the official evaluation of ActivityNet (`lasting` drops them). Instances
    labelled "Ambiguous" are neither trained on nor scored: they are in `ambiguous` of the result. duration: NaN where
    not given.
    Raises InputError: no such file, not JSON, subset or instances absent, segments that are not finite or end before
    they start, labels outside `activity_list`.
    """
    file = read_object(path, "database")
    problems = file.problems
    entries = _entries_of(file.entries, subset, problems)
    classes = _classes(file)
    position = {AMBIGUOUS: -1} | {name: index for index, name in enumerate(classes)}
    video, label, segments = [], [], []
    for row, (name, entry) in enumerate(entries.items()):
        for where, instance in items_of(f"database.{name}.annotations", entry.get("annotations"), problems):
            segment = segment_of(where, instance, problems, may_be_empty=True)
            index = _label_index(where, instance, position, problems)
            if segment is not None and index is not None:
                video.append(row)
                label.append(index)
                segments.append(segment)
    duration = [_duration(name, entry, problems) for name, entry in entries.items()]
    if max(label, default=-1) < 0 and not problems:
        problems.add(f"subset '{subset}' has no instance in its {len(entries)} videos; choose one with annotations")
    problems.raise_if_any()
    truth = Annotations(
        videos=tuple(entries),
        classes=classes,
        video=np.array(video, np.int64),
        label=np.array(label, np.int64),
        segment=np.array(segments, np.float64),
        duration=np.array(duration, np.float64),
    )
    return _separate_ambiguous(truth)


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
    path: Path, classes: tuple[str, ...], videos: tuple[str, ...], unknown: Unknown = "error"
) -> Detections:
    """Detections of a file, in its order, with the classes and videos of a ground truth.

    unknown: how to treat a detection whose label or video is not among them. `error`: InputError names each. `ignore`:
    dropped, not counted. `count`: kept, with `classes` and `videos` of the result extended in order of appearance; in
    an unknown video it is a false positive of its class, with an unknown label it is counted but changes no AP.
    Raises InputError: no such file, not JSON, scores or segments that are not finite, segments not longer than 0 s.
    """
    if unknown not in get_args(Unknown):
        raise InputError(f"unknown={unknown} must be one of {', '.join(get_args(Unknown))}")
    file = read_object(path, "results")
    problems = file.problems
    rows = list(_detection_rows(file.entries, problems))
    known_classes, known_videos = set(classes), set(videos)
    if unknown == "error":
        _report_unknown(rows, classes, known_videos, problems)
    problems.raise_if_any()
    if unknown == "ignore":
        rows = [row for row in rows if row[0] in known_videos and row[1] in known_classes]
    videos = tuple(dict.fromkeys([*videos, *(row[0] for row in rows)]))
    classes = tuple(dict.fromkeys([*classes, *(row[1] for row in rows)]))
    video_index = {name: index for index, name in enumerate(videos)}
    class_index = {name: index for index, name in enumerate(classes)}
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
            problems.add(f"database.{name} has no subset (seen {brief(entry)}); give it one")
            continue
        present[entry["subset"]] += 1
        if entry["subset"] == subset:
            entries[name] = entry
    if not entries:
        listed = ", ".join(f"'{name}' ({count} videos)" for name, count in present.most_common()) or "none"
        problems.add(f"subset '{subset}' is not in the file; subsets present: {listed}")
        problems.raise_if_any()
    return entries


def _classes(file: JsonFile) -> tuple[str, ...]:
    listed, problems = file.content.get("activity_list"), file.problems
    if listed is None:
        entries = [entry for entry in file.entries.values() if isinstance(entry, dict)]
        lists = [entry["annotations"] for entry in entries if isinstance(entry.get("annotations"), list)]
        labels = [item.get("label") for items in lists for item in items if isinstance(item, dict)]
        return tuple(sorted({label for label in labels if isinstance(label, str)} - {AMBIGUOUS}))
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        problems.add(f"activity_list is {brief(listed)}; give a list of labels, or leave it out")
        problems.raise_if_any()
        return ()
    for name, count in Counter(listed).items():
        if count > 1:
            problems.add(f"activity_list names '{brief(name)}' {count} times; keep one")
    return tuple(name for name in listed if name != AMBIGUOUS)


def _detection_rows(results: dict[str, object], problems: Problems) -> Iterator[Row]:
    for name, items in results.items():
        for where, item in items_of(f"results.{name}", items, problems):
            segment, label = segment_of(where, item, problems), item.get("label")
            score = number_of(item.get("score"))
            if not isinstance(label, str):
                problems.add(f"{where}.label is {brief(label)}; give the name of a class")
            if not math.isfinite(score):
                problems.add(f"{where}.score is {brief(item.get('score'))}; give a finite number")
            if segment is not None and isinstance(label, str):
                yield name, label, segment, score


def _report_unknown(rows: list[Row], classes: tuple[str, ...], videos: set[str], problems: Problems) -> None:
    """Add a problem for each unknown video and each unknown label, with its number of detections."""
    ways = "remove it, or set unknown=ignore (drop) or unknown=count (false positive)"
    for name, count in Counter(row[0] for row in rows if row[0] not in videos).items():
        problems.add(f"video '{name}' ({count} detections) is not one of the {len(videos)} of the subset; {ways}")
    known = set(classes)
    for label, count in Counter(row[1] for row in rows if row[1] not in known).items():
        hint = nearest_of(label, classes) if len(problems) < LISTED else ""
        problems.add(f"label '{brief(label)}' ({count} detections) is not a class of the ground truth{hint}; {ways}")


def _label_index(where: str, item: dict[str, object], position: dict[str, int], problems: Problems) -> int | None:
    label = item.get("label")
    if isinstance(label, str) and label in position:
        return position[label]
    if isinstance(label, str):
        hint = nearest_of(label, tuple(position)) if len(problems) < LISTED else ""
        problems.add(f"{where}.label is '{brief(label)}', which activity_list does not name{hint}; correct one of them")
    else:
        problems.add(f"{where}.label is {brief(label)}; give the name of a class")
    return None


def _duration(name: str, entry: dict[str, object], problems: Problems) -> float:
    value = entry.get("duration")
    duration = number_of(value)
    if value is not None and not (math.isfinite(duration) and duration > 0):
        problems.add(f"database.{name}.duration is {brief(value)}; give a positive number of seconds, or leave it out")
    return duration
