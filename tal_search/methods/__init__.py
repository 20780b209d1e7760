"""The methods: one file each, found by its name. Each defines `SPECIFICATION` (see `base`); there is no registry."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from tal_search.methods.base import MethodSpecification

FOLDER = Path(__file__).parent


def available() -> list[str]:
    """Names of the methods: the files of this folder, but for what methods share."""
    names = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
    return sorted(names - {"base", "hyperparameters", "presets"})


@cache
def specification(method: str) -> MethodSpecification:
    """The method's specification. Imports no torch."""
    assert method in available(), method
    loaded = importlib.import_module(f"tal_search.methods.{method}").SPECIFICATION
    assert isinstance(loaded, MethodSpecification), method
    return loaded
