"""Average precision straight from its definitions: the slow reference for the evaluator."""

from __future__ import annotations

from collections.abc import Sequence

Rows = list[tuple[str, str, float, float]]  # video, class, start, end
Scored = list[tuple[str, str, float, float, float]]  # and score


def naive(truth: Rows, found: Scored, threshold: float) -> dict[str, float]:
    """AP by class under ActivityNet's protocol: detections one by one; the area under the envelope step by step."""
    result = {}
    for name in sorted({row[1] for row in truth}):
        instances = [row for row in truth if row[1] == name]
        unmatched = list(range(len(instances)))
        hits = []
        for video, _, start, end, _ in sorted((row for row in found if row[1] == name), key=lambda row: -row[4]):
            best, best_overlap = None, 0.0
            for index in unmatched:
                other_video, _, other_start, other_end = instances[index]
                shared = max(min(end, other_end) - max(start, other_start), 0.0)
                overlap = shared / (end - start + other_end - other_start - shared)
                if other_video == video and overlap >= threshold and overlap >= best_overlap:
                    best, best_overlap = index, overlap
            hits.append(best is not None)
            if best is not None:
                unmatched.remove(best)
        points = [(sum(hits[: k + 1]) / len(instances), sum(hits[: k + 1]) / (k + 1)) for k in range(len(hits))]
        steps = [k / len(instances) for k in range(1, len(instances) + 1)]
        envelope = [max((p for recall, p in points if recall >= step), default=0.0) for step in steps]
        result[name] = sum(envelope) / len(instances)
    return result


def naive_thumos14(truth: Rows, found: Scored, threshold: float, unclear: Rows) -> dict[str, float]:
    """AP by class under THUMOS14's: videos by name, instances one by one; the precision at each true positive."""
    result = {}
    for name in sorted({row[1] for row in truth}):
        ranked: list[tuple[float, bool]] = []
        for video in sorted({row[0] for row in [*truth, *found]}):
            rows = sorted((row for row in found if row[:2] == (video, name)), key=lambda row: -row[4])
            right = instance_takes([row for row in truth if row[:2] == (video, name)], rows, threshold)
            touching = [any(tIoU(row, other) > 0 for other in unclear if other[0] == video) for row in rows]
            ranked += [(row[4], r) for row, r, t in zip(rows, right, touching, strict=True) if r or not t]
        ranked.sort(key=lambda row: -row[0])
        hits = [right for _, right in ranked]
        area = sum(sum(hits[: k + 1]) / (k + 1) for k, hit in enumerate(hits) if hit)
        result[name] = area / sum(row[1] == name for row in truth)
    return result


def instance_takes(instances: Rows, rows: Scored, threshold: float) -> list[bool]:
    """For detections of one video and class, the best first: whether an instance takes it."""
    right = [False] * len(rows)
    for instance in instances:
        free = [index for index, taken in enumerate(right) if not taken]
        best = max(free, key=lambda index: tIoU(rows[index], instance), default=None)  # of equal ones the first
        if best is not None and tIoU(rows[best], instance) > threshold:
            right[best] = True
    return right


def tIoU(a: Sequence[float | str], b: Sequence[float | str]) -> float:
    """Of two rows."""
    (start, end), (other_start, other_end) = ((float(row[2]), float(row[3])) for row in (a, b))
    shared = min(end, other_end) - max(start, other_start)
    return shared / (max(end, other_end) - min(start, other_start)) if shared > 0 else 0.0
