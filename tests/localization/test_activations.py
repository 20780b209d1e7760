"""Activations of a set of videos: rounded, joined, of one video, and as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tal_search.localization.activations import Activations
from tal_search.types import VideoSet


def activations(first: int, count: int, *, streams: bool = False) -> Activations:
    """Three classes, eight snippets; with the arrays of two streams, or without."""
    random = np.random.default_rng(first)
    videos = VideoSet.labelled(
        videos=tuple(f"v{number}" for number in range(first, first + count)),
        features=np.zeros((count, 2, 8), np.float32), labels=np.zeros((count, 3), np.float32),
        duration=random.random(count), frames=np.arange(count),
    )  # fmt: skip
    cas, attention, scores = random.random((count, 4, 8)), random.random((count, 8)), random.random((count, 4))
    stream_cas = random.random((count, 2, 3, 8)) if streams else None
    return Activations.of(videos, cas=cas, attention=attention, scores=scores, stream_cas=stream_cas)


def assert_equal(one: Activations, other: Activations) -> None:
    assert one.videos == other.videos
    assert one.arrays().keys() == other.arrays().keys()
    for name, array in one.arrays().items():
        assert array.dtype == other.arrays()[name].dtype
        np.testing.assert_array_equal(array, other.arrays()[name])


def test_a_file_holds_what_was_saved_without_the_arrays_that_there_are_not(tmp_path: Path) -> None:
    for streams in (False, True):
        kept = activations(0, 3, streams=streams).rounded()
        with (tmp_path / "kept.npz").open("wb") as stream:
            kept.save(stream)
        assert_equal(Activations.load(tmp_path / "kept.npz"), kept)
        assert ("stream_cas" in kept.arrays()) == streams


def test_sequences_are_rounded_and_scores_are_not() -> None:
    given, kept = activations(0, 2, streams=True), activations(0, 2, streams=True).rounded()
    assert {name for name, array in kept.arrays().items() if array.dtype == np.float16} == {
        "cas", "attention", "stream_cas"
    }  # fmt: skip
    np.testing.assert_array_equal(kept.scores, given.scores)
    assert_equal(kept.rounded(), kept)


def test_parts_are_joined_in_order_and_taken_apart_by_video() -> None:
    parts = [activations(0, 2), activations(2, 3)]
    joined = Activations.joined(parts, tuple(f"v{number}" for number in range(5)))
    assert joined.videos == ("v0", "v1", "v2", "v3", "v4")
    assert_equal(joined.of_video("v3"), parts[1].of_video("v3"))
