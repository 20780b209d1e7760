"""AP of trials by class and by instance length, from the files in their folders.

Lengths are those of the error profile: its buckets, its matches at tIoU 0.5, and its normalized mAP (mAP_N), which
treats all classes as equally frequent.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tal_dashboards.data.group_cache import FOLDER, Groups, kept
from tal_dashboards.data.inference_settings import detections_at
from tal_dashboards.data.study_data import StudyData
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.metrics.average_precision import class_average_precision
from tal_search.metrics.error_profile import TIOU
from tal_search.metrics.instance_buckets import Bucket, describe_buckets
from tal_search.metrics.matching import match_classes
from tal_search.results.trials import averaged, equal
from tal_search.trial.pooled.joint_folds import joint_detections, joint_truth
from tal_search.trial.trial_types import setting_name
from tal_search.types import Annotations, Detections

By = Literal["class", "length"]
MOST_TRIALS = 200  # read for one axis: the first time, detections of 210 videos take 0.1 s per trial


class Group(NamedTuple):
    """A class or a bucket of lengths. limit: the bucket's limit in words; instances: how many the ground truth has."""

    name: str
    limit: str
    instances: int


def trials_read(data: StudyData, axis: str) -> pd.DataFrame:
    """At most MOST_TRIALS finished trials: those at the centre or off it only in this axis, then those that differ from
    the centre in the fewest axes, which help to estimate the noise.
    """
    done = data.done
    off = pd.Series(0, index=done.index)
    for name in data.axes:
        off += ~equal(done[name], data.centre[name])
    mine = data.is_centre(done, free=(axis,))
    rank = pd.DataFrame({"other": ~mine, "off": off}, index=done.index)
    first = rank.sort_values(["other", "off"], kind="stable").index[:MOST_TRIALS]
    return done.loc[first.sort_values()]


def scores_by(data: StudyData, trials: pd.DataFrame, by: By) -> pd.DataFrame:
    """One row per trial, with the index of `trials`, and one column per group, in percent; NaN for missing groups.

    AP by class is at the criterion that cells are compared by (`data.threshold`). Trials without readable files have no
    row.
    """
    scores: dict[Hashable, dict[str, float]] = {}
    folds = trials["ids"] if "ids" in trials else [()] * len(trials)
    for label, name, ids in zip(trials.index, trials["id"], folds, strict=True):
        try:
            scores[label] = _pooled(data, ids, by) if ids else _scores(data, str(name), by)
        except (InputError, OSError, ValueError, KeyError, TypeError):
            continue
    return pd.DataFrame.from_dict(scores, orient="index")


def groups_of(data: StudyData, trials: pd.DataFrame, by: By) -> list[Group]:
    """The groups with an instance in the ground truth of the first trial: classes in its order, buckets from short to
    long.
    """
    pooled = [ids for ids in trials["ids"] if ids] if "ids" in trials else []  # of all folds, not only of the first
    truth = joint_truth(data.runs, pooled[0]) if pooled else data.truth(str(trials["key"].iloc[0]))
    if by == "class":
        counts = np.bincount(truth.label, minlength=len(truth.classes)).tolist()
        return [Group(name, "", count) for name, count in zip(truth.classes, counts, strict=True) if count]
    buckets = _lengths(truth, _none(truth))
    return [Group(bucket.name, _limit(bucket), bucket.instances) for bucket in buckets if bucket.instances]


def _limit(bucket: Bucket) -> str:
    return f"≤ {bucket.high:g} s" if np.isfinite(bucket.high) else f"> {bucket.low:g} s"


def _scores(data: StudyData, trial: str, by: By) -> dict[str, float]:
    """trial: the key of a fit, followed by a hyphen and the name of an inference setting if it was rescored."""
    key, _, setting = trial.partition("-")
    spec = data.spec(key)
    if by == "class" and not setting:
        return _kept_classes(data, key)
    folder, inference = data.folder(key), spec.inference
    if setting:
        data.results(key)  # raises Damaged
        inference = folder.settings()[setting]["inference"]
    source = (folder.cas if setting else folder.detections).stat()
    of = {
        "content": [source.st_mtime_ns, source.st_size], "dataset": spec.dataset.fingerprint, "inference": inference,
        "protocol": spec.protocol["evaluation"], "tiou": _thresholds(data), "fit": spec.key,
    }  # fmt: skip
    path = data.runs / data.name / FOLDER / f"{spec.key}-{setting_name(inference)}.json"
    groups = kept(path, of, lambda: _computed(data, key, Inference(**inference)))
    return groups.classes if by == "class" else groups.lengths


def _pooled(data: StudyData, ids: tuple[str, ...], by: By) -> dict[str, float]:
    """The scores of the pooled detections of folds; ids: of their trials."""
    sources = [data.folder(name.partition("-")[0]).path / "result.json" for name in ids]
    of: dict[str, object] = {
        "folds": ids, "content": [source.stat().st_mtime_ns for source in sources], "tiou": _thresholds(data),
        "protocol": data.protocol["evaluation"],
    }  # fmt: skip
    path = data.runs / data.name / FOLDER / f"folds-{setting_name({'ids': ids})}.json"
    groups = kept(path, of, lambda: _groups(data, *joint_detections(data.runs, ids)))
    return groups.classes if by == "class" else groups.lengths


def _kept_classes(data: StudyData, key: str) -> dict[str, float]:
    """AP by class from the trial's own scores."""
    content = data.scores(key)
    columns = [content["tiou"].index(threshold) for threshold in _thresholds(data)]
    return {
        str(name): 100 * float(np.mean([values[column] for column in columns]))
        for name, values in content["per_class"].items()
    }


def _thresholds(data: StudyData) -> list[float]:
    """The tIoU thresholds that AP is averaged over."""
    if data.threshold != "average":
        return [float(data.threshold)]
    low, high = averaged(data.tiou)
    return [threshold for threshold in data.tiou if low <= threshold <= high]


def _computed(data: StudyData, key: str, inference: Inference) -> Groups:
    return _groups(data, data.truth(key), detections_at(data, key, inference))


def _groups(data: StudyData, truth: Annotations, detections: Detections) -> Groups:
    protocol = data.protocol["evaluation"]
    matches = match_classes(truth, detections, tuple(_thresholds(data)), protocol=protocol)
    classes = {match.name: 100 * float(np.mean(class_average_precision(match, protocol))) for match in matches}
    return Groups(classes, _percents(_lengths(truth, detections, protocol)))


def _lengths(truth: Annotations, detections: Detections, protocol: str = "activitynet") -> tuple[Bucket, ...]:
    matches = match_classes(truth, detections, (TIOU,), protocol=protocol)
    return describe_buckets(truth, matches)[1]["length"]


def _percents(buckets: Iterable[Bucket]) -> dict[str, float]:
    return {bucket.name: 100 * bucket.normalized_mAP for bucket in buckets if bucket.normalized_mAP is not None}


def _none(truth: Annotations) -> Detections:
    """An empty set of detections: buckets and their instances depend only on the ground truth."""
    return Detections(
        videos=truth.videos, classes=truth.classes, video=np.zeros(0, np.int64), label=np.zeros(0, np.int64),
        segment=np.zeros((0, 2)), score=np.zeros(0),
    )  # fmt: skip
