"""What all methods share: presets that exist."""

from __future__ import annotations

import dataclasses

import pytest

from tal_search.methods import available, specification
from tal_search.methods.base import Preset


@pytest.mark.parametrize("name", available())
def test_a_preset_with_an_unknown_setting_is_refused(name: str) -> None:
    method = specification(name)
    for wrong in (Preset(snippets=1, hyperparameters={"lamda": 1}), Preset(snippets=1, inference={"nmss": 1})):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            dataclasses.replace(method, presets={"wrong": wrong})
