"""Presets of the datasets that come with the project."""

from __future__ import annotations

from tal_search.data.catalog import definition
from tal_search.methods.base import Preset
from tal_search.study.effective_preset import named_preset


def preset_of(method: str, dataset: str, name: str) -> Preset:
    """A method's preset with the changes of the dataset's file."""
    return named_preset(definition(dataset), method, name)
