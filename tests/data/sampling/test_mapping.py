"""Clicks and instances follow the snippets taken: exactly in windows, to the nearest snippet where they are sampled."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.data.sampling.mapping import Taken
from tal_search.data.sampling.positions import sampled


def test_a_window_shifts_what_it_holds_and_drops_the_rest() -> None:
    taken = Taken(np.arange(4, 10), 30, window=True)
    snippets = np.array([0, 3, 4, 7, 9, 10, 29])
    held = taken.holds(snippets)
    assert snippets[held].tolist() == [4, 7, 9]
    assert taken.nearest(snippets[held]).tolist() == [0, 3, 5]
    assert taken.moved(np.array([[2.0, 6.5], [5.0, 12.0], [20.0, 25.0]])).tolist() == [
        [0.0, 2.5],
        [1.0, 6.0],
        [6.0, 6.0],
    ]


def test_all_snippets_change_nothing() -> None:
    for window in (True, False):
        taken = Taken(np.arange(12), 12, window)
        places = np.linspace(0, 12, 25)
        assert np.allclose(taken.moved(places), places)
        assert taken.nearest(np.arange(12)).tolist() == list(range(12))
        assert taken.holds(np.arange(12)).all()


@pytest.mark.parametrize("kind", ["uniform", "random_perturbed", "random"])
@pytest.mark.parametrize(("length", "snippets"), [(40, 15), (7, 20), (30, 30), (1, 4)])
def test_sampled_snippets_stand_for_the_whole_video_in_its_order(kind: str, length: int, snippets: int) -> None:
    for seed in range(10):
        taken = Taken(sampled(kind, length, snippets, np.random.default_rng(seed)), length, window=False)
        assert taken.holds(np.arange(length)).all()
        places = np.linspace(0, length, 200)
        moved = taken.moved(places)
        assert moved[0] == 0
        assert moved[-1] == snippets
        assert (np.diff(moved) >= 0).all()
        nearest = taken.nearest(np.arange(length))
        distance = np.abs(taken.position[nearest] - np.arange(length))
        assert (distance == np.abs(taken.position[:, None] - np.arange(length)).min(0)).all()


def test_the_middle_of_a_snippet_taken_is_in_its_middle() -> None:
    taken = Taken(np.array([1, 5, 9]), 12, window=False)
    assert taken.moved(np.array([1.5, 5.5, 9.5])).tolist() == [0.5, 1.5, 2.5]
    twice = Taken(np.array([0, 0, 1, 1]), 2, window=False)
    assert twice.moved(np.array([0.0, 0.5, 1.5, 2.0])).tolist() == [0.0, 1.0, 3.0, 4.0]
