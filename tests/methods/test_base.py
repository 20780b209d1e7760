"""What all methods share: lengths of training in epochs and steps, layers of settings, presets that exist."""

from __future__ import annotations

import dataclasses

import pytest

from tal_search.methods import available, specification
from tal_search.methods.base import Preset, layered


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


@pytest.mark.parametrize("name", available())
def test_a_preset_with_an_unknown_setting_is_refused(name: str) -> None:
    method = specification(name)
    for wrong in (Preset(snippets=1, hyperparameters={"lamda": 1}), Preset(snippets=1, inference={"nmss": 1})):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            dataclasses.replace(method, presets={"wrong": wrong})
