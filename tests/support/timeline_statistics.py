"""Statistics by which a drawn timeline is compared with the real one: quantiles, correlations, co-occurrence."""

from __future__ import annotations

import numpy as np

from tal_search.data.truth.truths import background_gaps, present
from tal_search.types import Annotations

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SNIPPETS = 200  # of the simulated preset's grid


def statistics(truth: Annotations) -> dict[str, np.ndarray]:
    """Logarithms of the QUANTILES of seven numbers, and plain numbers, by name."""
    length, seconds = truth.segment[:, 1] - truth.segment[:, 0], truth.duration
    gaps = [np.diff(background_gaps(truth, row, float(end)))[:, 0] for row, end in enumerate(seconds)]
    count = np.bincount(truth.video, minlength=len(seconds))
    numbers = {
        "instance seconds": length,
        "video seconds": seconds,
        "instances a video": count,
        "gap seconds": np.concatenate(gaps),
        "gaps a video": np.array([len(one) for one in gaps]),
        "instance snippets": length / seconds[truth.video] * SNIPPETS,
        "share of a video covered": np.array([1 - one.sum() / end for one, end in zip(gaps, seconds, strict=True)]),
    }
    found = {name: np.log(np.quantile(values, QUANTILES).clip(0.01)) for name, values in numbers.items()}
    found["log seconds of a class's instances"] = class_lengths(truth)
    found["correlation of log instance and log video seconds"] = _correlation(length, seconds[truth.video])
    found["correlation of log instances and log video seconds"] = _correlation(count, seconds)
    found["videos of several classes"] = np.array([(present(truth).sum(1) > 1).mean()])
    found["deliveries and shots in one video"] = np.array([together(truth, "CricketBowling", "CricketShot")])
    return found


def class_lengths(truth: Annotations) -> np.ndarray:
    """Mean log seconds of each class's instances in a video, over its videos: one video of many does not decide."""
    length = np.log(truth.segment[:, 1] - truth.segment[:, 0])
    videos = [np.unique(truth.video[truth.label == label]) for label in range(len(truth.classes))]
    return np.array([
        np.mean([length[(truth.video == row) & (truth.label == label)].mean() for row in rows])
        for label, rows in enumerate(videos)
    ])  # fmt: skip


def together(truth: Annotations, first: str, second: str) -> float:
    """Share of the videos with either class that have both."""
    one, other = (present(truth)[:, truth.classes.index(name)] > 0 for name in (first, second))
    return float((one & other).sum() / (one | other).sum())


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(np.log(one), np.log(other))[0, 1]])
