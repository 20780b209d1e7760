"""Hyperparameter studies for temporal action localization.

`run_study` trains a study and `load` reads one; both return `StudyResults`. `compare` also takes results of other
programs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tal_search.api import StudyResults, TrialOutputs, load, run_study
    from tal_search.results.compare import Compared, compare

__all__ = ["Compared", "StudyResults", "TrialOutputs", "compare", "load", "run_study"]

RESULTS, API = "tal_search.results.compare", "tal_search.api"
MODULES = {name: RESULTS if name.lower().startswith("compare") else API for name in __all__}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that commands that only read a study do not import pandas."""
    if name not in MODULES:
        raise AttributeError(f"module 'tal_search' has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)


def __dir__() -> list[str]:
    """All names, lazy ones included, for completion in notebooks."""
    return sorted({*globals(), *__all__})
