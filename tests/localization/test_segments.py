"""Detections from regressed segments: which ones enter Soft-NMS, and what is left of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tal_search.localization import segments
from tal_search.localization.segments import MOST_OF_VIDEO, Candidates
from tal_search.types import Floats, VideoSet

SEGMENTS = np.array([[0.0, 4.0], [0.0, 4.0], [6.0, 8.0], [9.0, 9.0], [0.0, 9.0]])
SCORES = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7], [0.99, 0.99], [0.0005, 0.1]])


def listed(candidates: Candidates) -> list[list[float]]:
    return np.column_stack([candidates.label, candidates.segment, candidates.score]).tolist()


def test_detections_of_a_video_are_its_best_after_soft_nms() -> None:
    softened = 0.1 * math.exp(-((2 / 9) ** 2) / 0.5)
    expected = [[0, 0, 4, 0.9], [0, 0, 4, 0.8 * math.exp(-2)], [1, 6, 8, 0.7], [1, 0, 9, softened]]
    found = segments.softened(segments.of_each_class(SCORES, SEGMENTS, 200), 2, 0.5)
    np.testing.assert_allclose(listed(found), expected, rtol=1e-12)
    many = np.sort(np.random.default_rng(0).random((600, 2)), axis=1)
    found = segments.softened(segments.of_each_class(np.full((600, 3), 0.5), many, 200), 3, 1e6)
    assert len(found.score) == MOST_OF_VIDEO


@pytest.mark.parametrize("most", [1, 4, 50])
def test_candidates_of_each_level_are_its_best_pairs_that_are_long_enough(most: int) -> None:
    generator, lengths = np.random.default_rng(most), [8, 4, 2]
    scores = generator.permutation(14 * 3).reshape(14, 3) / 10_000  # some below the least score, none twice
    regressed = np.sort(generator.random((14, 2)), axis=1)
    expected, first = [], 0
    for points in lengths:
        pairs = [(scores[p, c], c, *regressed[p]) for p in range(first, first + points) for c in range(3)]
        best = sorted(pairs, reverse=True)[:most]
        expected += [(c, s, e, score) for score, c, s, e in best if score > 0.001 and e - s > 0.2]
        first += points
    expected.sort(key=lambda row: (row[0], -row[3]))
    found = segments.of_each_level(scores, regressed, lengths, most, 0.2)
    assert [tuple(row) for row in listed(found)] == expected
    assert len(expected) > 1


def test_no_candidates_are_no_detections() -> None:
    found = segments.softened(segments.of_each_level(np.zeros((3, 2)), np.ones((3, 2)), [3], 10, 0.0), 2, 0.5)
    assert listed(found) == []


def videos() -> VideoSet:
    return VideoSet.labelled(
        videos=("a", "b"), features=np.zeros((2, 1, 10), np.float32), labels=np.zeros((2, 2), np.float32),
        duration=np.array([20.0, 5.0]), frames=np.array([200, 50]),
    )  # fmt: skip


def outputs() -> list[tuple[Floats, Floats]]:
    return [(np.array([[0.9, 0.1]]), np.array([[2.0, 12.0]])), (np.array([[0.0, 0.5]]), np.array([[-1.0, 4.0]]))]


def chosen(score_PC: Floats, segment_P2: Floats) -> Candidates:
    return segments.of_each_class(score_PC, segment_P2, 5)


def test_times_are_those_of_the_videos_snippets_clipped_to_the_video() -> None:
    found = segments.detections(videos(), ("x", "y"), outputs(), chosen, 0.5)
    assert found.video.tolist() == [0, 0, 1]
    assert found.label.tolist() == [0, 1, 1]
    assert found.score.tolist() == [0.9, 0.1, 0.5]
    assert found.segment.tolist() == [[4.0, 20.0], [4.0, 20.0], [0.0, 2.0]]  # steps of 2 and .5 seconds
    stored = replace(
        videos(), length=np.array([10, 10]), start=np.array([1.0, 0.5]), extent=np.array([10.0, 4.0])
    )  # steps of 1 and .4 seconds, from 1 and .5
    found = segments.detections(stored, ("x", "y"), outputs(), chosen, 0.5)
    np.testing.assert_allclose(found.segment, [[3.0, 13.0], [3.0, 13.0], [0.1, 2.1]])
