"""Mean average precision of detections at tIoU thresholds, ActivityNet protocol.

Shapes: D detections and G instances of one class, R thresholds.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import InputError
from tal_search.types import Annotations, Detections, DetectionScores, Floats, Ints

PROTOCOLS = ("activitynet",)
MOST_THRESHOLDS = 1000


def score(
    truth: Annotations, detections: Detections, tiou: tuple[float, ...], *, protocol: str = "activitynet", subset: str
) -> DetectionScores:
    """mAP and per-class AP at each tIoU threshold (ActivityNet challenge; VOC 2011 interpolated AP).

    Per class, detections are taken by falling score (ties in input order); each is a true positive when its overlap
    with the best-overlap still-unmatched instance of its video (of equal ones the last in input order) reaches the
    threshold. The classes averaged are those with an instance in `truth`. Videos and classes are matched by name: a
    detection in a video that `truth` does not have is a false positive, one whose class has no instance changes no AP;
    both are in the count of detections. `subset` names what was scored. Raises InputError: unknown protocol, no
    instance at all.
    """
    from tal_search.kernels import match

    require_protocol(protocol)
    if not len(truth.label):
        raise InputError(f"subset '{subset}' has no ground-truth instance, so mAP is undefined; choose another subset")
    video = _positions(detections.videos, truth.videos)[detections.video]
    label = _positions(detections.classes, truth.classes)[detections.label]
    by_score = np.argsort(-detections.score, kind="stable")
    by_video = np.argsort(truth.video, kind="stable")
    found_label, instance_label = label[by_score], truth.label[by_video]
    precisions = {}
    for index in np.unique(truth.label):
        found, instances = by_score[found_label == index], by_video[instance_label == index]
        first_G = np.searchsorted(truth.video[instances], np.arange(len(truth.videos) + 1))
        hits_RD = match(
            detections.segment[found], video[found], truth.segment[instances], first_G, np.array(tiou, np.float64)
        )
        precisions[truth.classes[index]] = interpolated_average_precision(hits_RD, len(instances))
    return DetectionScores(
        protocol=protocol,
        subset=subset,
        videos=len(truth.videos),
        instances=len(truth.label),
        detections=len(detections.label),
        tiou=tiou,
        mAP=tuple(np.mean(list(precisions.values()), axis=0).tolist()),
        per_class={name: tuple(values.tolist()) for name, values in precisions.items()},
    )


def require_protocol(protocol: str) -> None:
    """Raises InputError where this evaluator does not know the protocol."""
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol} is unknown; available: {', '.join(PROTOCOLS)}")


def interpolated_average_precision(hits_RD: NDArray[np.bool_], instances: int) -> Floats:
    """Area under the precision envelope, one a row: detections by falling score, True where one is a true positive.

    VOC 2011: each recall step counts the greatest precision at that recall or beyond. [R, D] to [R].
    """
    if not hits_RD.shape[1]:
        return np.zeros(len(hits_RD))
    precision_RD = np.cumsum(hits_RD, axis=1) / np.arange(1, hits_RD.shape[1] + 1)
    envelope_RD = np.maximum.accumulate(precision_RD[:, ::-1], axis=1)[:, ::-1]
    area: Floats = np.where(hits_RD, envelope_RD, 0.0).sum(axis=1) / instances
    return area


def parse_tiou(text: str) -> tuple[float, ...]:
    """tIoU thresholds from START:STOP:STEP (both ends included) or a list: "0.1:0.9:0.1", "0.3,0.5", "[0.3,0.5]".

    Decimal arithmetic: 0.1:0.9:0.1 is exactly nine values, the third 0.3. Raises InputError, every problem in it.
    """
    ranged, bare = ":" in text, text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    parts = bare.split(":" if ranged else ",")
    numbers = [_decimal(part) for part in parts]
    wrong = [part.strip() for part, number in zip(parts, numbers, strict=True) if number is None]
    values = [number for number in numbers if number is not None]
    if wrong or (ranged and len(values) != 3):
        seen = f"'{wrong[0]}' is not a number" if wrong else "a range has three numbers"
        raise InputError(f"tiou={text}: {seen}; give START:STOP:STEP (0.1:0.9:0.1) or a list (0.3,0.5)")
    if ranged:
        values = _range(text, *values)
    problems = [f"tiou={text}: {value} is outside (0, 1]; give a fraction" for value in values if not 0 < value <= 1]
    repeated = sorted({value for value in values if values.count(value) > 1})
    problems += [f"tiou={text}: {value} is given more than once; keep one" for value in repeated]
    if problems:
        raise InputError(problems)
    return tuple(float(value) for value in values)


def _range(text: str, start: Decimal, stop: Decimal, step: Decimal) -> list[Decimal]:
    if step <= 0 or stop < start:
        raise InputError(f"tiou={text} is an empty range; START must not exceed STOP, and STEP must be positive")
    last = (stop - start) / step
    if last >= MOST_THRESHOLDS:
        raise InputError(f"tiou={text} has more than {MOST_THRESHOLDS} thresholds; give a greater STEP")
    return [start + index * step for index in range(int(last) + 1)]


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _positions(names: tuple[str, ...], known: tuple[str, ...]) -> Ints:
    """Where each name is in `known`, -1 where it is not."""
    position = {name: index for index, name in enumerate(known)}
    return np.array([position.get(name, -1) for name in names], np.int64)
