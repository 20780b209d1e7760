"""AP by class and by length of instance of the trials of a study, from what the folders of its fits keep.

Lengths are those of the error profile: its buckets, its matches at tIoU 0.5, and its normalized mAP, mAP_N, as if all
classes had equally many instances.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

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
from tal_search.trial.trial_types import TrialSpec, setting_name
from tal_search.types import Annotations, Detections

By = Literal["class", "length"]
MOST_TRIALS = 200  # that are read for one axis: detections of 210 videos take 0.1 s a trial, the first time


class Group(NamedTuple):
    """A class or a bucket of lengths; limit: of a bucket, in words; instances: of the ground truth."""

    name: str
    limit: str
    instances: int


def trials_read(data: StudyData, axis: str) -> pd.DataFrame:
    """Finished trials, at most MOST_TRIALS: the centre and the other values of the axis first, then those that differ
    from the centre in the fewest axes, which tell how large the noise is.
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
    """One row a trial, labelled as in `trials`, and one column a group, in percent; NaN where a trial has none of it.

    By class at what cells are compared by (`data.threshold`). Trials whose folders keep nothing readable have no row.
    """
    found: dict[Any, dict[str, float]] = {}
    for label, name in zip(trials.index, trials["id"], strict=True):
        try:
            found[label] = _scores(data, str(name), by)
        except (InputError, OSError, ValueError, KeyError, TypeError):
            continue
    return pd.DataFrame.from_dict(found, orient="index")


def groups_of(data: StudyData, trials: pd.DataFrame, by: By) -> list[Group]:
    """The groups that have an instance in the ground truth of the first of the trials: classes in its order, buckets
    from short to long.
    """
    truth = data.truth(str(trials["key"].iloc[0]))
    if by == "class":
        counts = np.bincount(truth.label, minlength=len(truth.classes)).tolist()
        return [Group(name, "", count) for name, count in zip(truth.classes, counts, strict=True) if count]
    return [Group(one.name, _limit(one), one.instances) for one in _lengths(truth, _none(truth)) if one.instances]


def _limit(bucket: Bucket) -> str:
    return f"≤ {bucket.high:g} s" if np.isfinite(bucket.high) else f"> {bucket.low:g} s"


def _scores(data: StudyData, trial: str, by: By) -> dict[str, float]:
    """trial: the key of a fit, and after a hyphen the name of the setting that its activations were scored with."""
    key, _, setting = trial.partition("-")
    spec = data.spec(key)
    if by == "class" and not setting:
        return _kept_classes(data, key)
    inference = data.folder(key).settings()[setting]["inference"] if setting else spec.inference
    folder = data.folder(key)
    source = (folder.cas if setting else folder.detections).stat()
    of = {
        "content": [source.st_mtime_ns, source.st_size], "dataset": spec.dataset.fingerprint, "inference": inference,
        "protocol": spec.protocol["evaluation"], "tiou": _thresholds(data), "fit": spec.key,
    }  # fmt: skip
    path = data.runs / data.name / FOLDER / f"{spec.key}-{setting_name(inference)}.json"
    found = kept(path, of, lambda: _computed(data, key, spec, inference))
    return found.classes if by == "class" else found.lengths


def _kept_classes(data: StudyData, key: str) -> dict[str, float]:
    """As the trial scored itself."""
    content = json.loads(data.folder(key).scores.read_bytes())
    places = [content["tiou"].index(threshold) for threshold in _thresholds(data)]
    return {
        str(name): 100 * float(np.mean([values[place] for place in places]))
        for name, values in content["per_class"].items()
    }


def _thresholds(data: StudyData) -> list[float]:
    """Those that AP is averaged over."""
    if data.threshold != "average":
        return [float(data.threshold)]
    low, high = averaged(data.tiou)
    return [threshold for threshold in data.tiou if low <= threshold <= high]


def _computed(data: StudyData, key: str, spec: TrialSpec, inference: dict[str, Any]) -> Groups:
    truth, protocol = data.truth(key), spec.protocol["evaluation"]
    detections = detections_at(data, key, Inference(**inference))
    matches = match_classes(truth, detections, tuple(_thresholds(data)), protocol=protocol)
    classes = {one.name: 100 * float(np.mean(class_average_precision(one, protocol))) for one in matches}
    return Groups(classes, _percents(_lengths(truth, detections, protocol)))


def _lengths(truth: Annotations, detections: Detections, protocol: str = "activitynet") -> tuple[Bucket, ...]:
    matches = match_classes(truth, detections, (TIOU,), protocol=protocol)
    return describe_buckets(truth, matches)[1]["length"]


def _percents(buckets: Iterable[Bucket]) -> dict[str, float]:
    return {one.name: 100 * one.normalized_mAP for one in buckets if one.normalized_mAP is not None}


def _none(truth: Annotations) -> Detections:
    """No detection at all: buckets and their instances depend on the ground truth alone."""
    return Detections(
        videos=truth.videos, classes=truth.classes, video=np.zeros(0, np.int64), label=np.zeros(0, np.int64),
        segment=np.zeros((0, 2)), score=np.zeros(0),
    )  # fmt: skip
