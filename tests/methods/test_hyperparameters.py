"""What all hyperparameters share: lengths in epochs and steps, layers of settings, settings without an effect."""

from __future__ import annotations

import pytest

from tal_search.methods import specification
from tal_search.methods.hyperparameters import layered


def test_later_layers_win_and_steps_and_epochs_replace_each_other() -> None:
    assert layered({"a": 1, "b": 2}, {"b": 3}) == {"a": 1, "b": 3}
    assert layered({"epochs": 7}, {"steps": 100}) == {"epochs": None, "steps": 100}
    assert layered({"steps": 100}, {"epochs": 7}) == {"epochs": 7}
    assert layered({"steps": 100, "epochs": 7}) == {"epochs": 7, "steps": 100}
    assert layered() == {}


@pytest.mark.parametrize(("videos", "epochs", "steps"), [(200, 1143, 8001), (32, 8000, 8000), (33, 4000, 8000)])
def test_epochs_are_the_fewest_that_make_the_steps(videos: int, epochs: int, steps: int) -> None:
    trained = specification("sfnet").configured({"steps": 8000, "batch_size": 32}).trained_on(videos)
    assert (trained.epochs, trained.steps) == (epochs, steps)
    assert trained.trained_on(videos) == trained


def test_a_method_that_counts_epochs_has_the_same_length_everywhere() -> None:
    given = specification("backtal").configured({"epochs": 9})
    assert given.trained_on(5) == given.trained_on(500) == given


def test_a_constant_rate_has_no_end_to_fall_to() -> None:
    assert specification("asl").configured({"schedule": "cosine"}).unread == {}
    unread = specification("asl").configured({"final_rate": 0.1}).unread
    assert unread == {
        "final_rate": "schedule is constant, which does not fall; give schedule cosine or one_cycle, or remove it"
    }
