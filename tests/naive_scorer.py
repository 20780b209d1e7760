"""Average precision straight from its definition: slow, obvious, and what the evaluator is compared with."""

from __future__ import annotations

Rows = list[tuple[str, str, float, float]]  # video, class, start, end
Scored = list[tuple[str, str, float, float, float]]  # and score


def naive(truth: Rows, found: Scored, threshold: float) -> dict[str, float]:
    """AP by class, detections one by one; the area under the envelope one recall step at a time."""
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
