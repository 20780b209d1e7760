"""One file a method, its name the file's; each holds a `SPECIFICATION` (see `base`). There is no list to add one to."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from tal_search.methods.base import MethodSpecification

FOLDER = Path(__file__).parent


def available() -> list[str]:
    """Names of the methods, from the files beside this one."""
    names = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
    return sorted(names - {"base"})


@cache
def specification(method: str) -> MethodSpecification:
    """The method's specification. Imports no torch."""
    assert method in available(), method
    found = importlib.import_module(f"tal_search.methods.{method}").SPECIFICATION
    assert isinstance(found, MethodSpecification), method
    return found
