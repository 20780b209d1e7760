"""Small ground truths and detections from rows, and Hypothesis strategies for the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from tal_search.types import Annotations, Detections
from tests.support.naive_scorer import Rows, Scored


def annotations(rows: Rows, videos: str = "uvw", classes: str = "abc") -> Annotations:
    return Annotations(
        videos=tuple(videos),
        classes=tuple(classes),
        video=np.array([videos.index(row[0]) for row in rows], np.int64),
        label=np.array([classes.index(row[1]) for row in rows], np.int64),
        segment=np.array([row[2:4] for row in rows], np.float64).reshape(-1, 2),
        duration=np.full(len(videos), np.nan),
    )


def detections(rows: Scored, videos: str = "uvw", classes: str = "abc") -> Detections:
    unscored = as_detections(annotations([row[:4] for row in rows], videos, classes))
    return replace(unscored, score=np.array([row[4] for row in rows], np.float64))


def as_detections(truth: Annotations) -> Detections:
    return Detections(
        videos=truth.videos,
        classes=truth.classes,
        video=truth.video,
        label=truth.label,
        segment=truth.segment,
        score=np.ones(len(truth.label)),
    )


def overlapping(videos: int = 150) -> Annotations:
    """Two instances a video, at 5-12 s (overlapping 11-13 s) and 20-28 s of 30 s; the last video has none."""
    segments = np.tile([[5.0, 12.0], [11.0, 13.0], [20.0, 28.0]], (videos - 1, 1))
    return Annotations(
        videos=tuple(f"v{index}" for index in range(videos)),
        classes=("c",),
        video=np.repeat(np.arange(videos - 1), 3),
        label=np.zeros(3 * (videos - 1), np.int64),
        segment=segments,
        duration=np.full(videos, 30.0),
    )


@st.composite
def segments(draw: st.DrawFn, shortest: int) -> tuple[float, float]:
    start = draw(st.integers(0, 30))
    return float(start), float(start + draw(st.integers(shortest, 12)))


def rows(least: int, shortest: int = 1) -> st.SearchStrategy[Rows]:
    """At least so many; of a ground truth, some may have no length (shortest=0)."""
    row = st.tuples(st.sampled_from("uvw"), st.sampled_from("abc"), segments(shortest))
    return st.lists(row.map(lambda r: (r[0], r[1], *r[2])), min_size=least, max_size=25)


@st.composite
def scored(draw: st.DrawFn, distinct: bool = False) -> Scored:
    plain = draw(rows(0))
    values = st.integers(-9, 9) if not distinct else st.integers(-1000, 1000)
    numbers = draw(st.lists(values, min_size=len(plain), max_size=len(plain), unique=distinct))
    return [(*row, float(number)) for row, number in zip(plain, numbers, strict=True)]
