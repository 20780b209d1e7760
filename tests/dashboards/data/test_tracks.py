"""Numbers of detections by outcome, and similarities of snippets (whole tracks: `views/test_timeline.py`)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tal_dashboards.data.tracks import Track, counted, mask_table, offsets, similarity_range
from tal_search.timeline import Timeline

NOTHING = pd.DataFrame(columns=["label", "start", "end", "score", "kind"])


def track(affinity: np.ndarray | None) -> Track:
    times = Timeline.even(np.array([4]), np.array([8.0]))
    return Track("key", "a fit", times, None, affinity, NOTHING, {"hit": 2, "false": 3})


def test_only_outcomes_that_occur_are_counted() -> None:
    assert counted(pd.Series(["background", "localization", "not scored"])) == {"false": 2, "not scored": 1}
    assert counted(pd.Series([], dtype=str)) == {}
    assert track(None).found == 5


def test_neighbours_within_the_video_are_listed_at_the_centres_of_their_snippets() -> None:
    affinity = np.array([[0.1, 0.2, 0.3, 0.4], [1.0, 1.0, 1.0, 1.0], [0.5, 0.6, 0.7, 0.8]])  # h = 3, T = 4
    assert offsets(track(affinity)) == [-1, 0, 1]
    middle = mask_table([track(affinity), track(None)], 5.0)  # the third snippet, from 4 s to 6 s
    assert middle.to_numpy().tolist() == [["a fit", -1, 3.0, 0.3], ["a fit", 0, 5.0, 1.0], ["a fit", 1, 7.0, 0.7]]
    first = mask_table([track(affinity)], 0.0)
    assert first["neighbour"].tolist() == [0, 1]
    assert mask_table([track(affinity)], 8.0)["neighbour"].tolist() == [-1, 0], "the end belongs to the last snippet"


def test_stored_snippets_are_at_their_own_times() -> None:
    """Snippets of 2 s from 1 s on, in a video of 12 s."""
    mask = np.array([[0.1, 0.2, 0.3, 0.4], [1.0, 1.0, 1.0, 1.0], [0.5, 0.6, 0.7, 0.8]])
    stored = Timeline(length=np.array([4]), start=np.array([1.0]), extent=np.array([8.0]))
    native = track(mask)._replace(times=stored)
    assert mask_table([native], 5.5)["seconds"].tolist() == [4.0, 6.0, 8.0]
    assert mask_table([native], 0.0)["seconds"].tolist() == [2.0, 4.0], "before the first snippet"
    assert native.end == 9.0


def test_the_colour_scale_leaves_out_a_snippet_s_similarity_with_itself() -> None:
    affinity = np.stack([np.linspace(0.2, 0.4, 101), np.ones(101), np.linspace(0.2, 0.4, 101)])
    low, high = similarity_range([track(affinity), track(None)])
    assert (low, high) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.4, abs=0.01))
    assert similarity_range([track(None)]) == similarity_range([track(np.ones((1, 4)))]) == (-1.0, 1.0)
    assert similarity_range([track(np.full((3, 4), 0.5))]) == (0.5, 0.51)
