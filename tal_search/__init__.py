"""Hyperparameter studies for temporal action localization.

`run_study` trains a study and `load` reads one; both return `StudyResults`. `compare` is also for numbers from
elsewhere.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tal_search.api import StudyResults, TrialOutputs, load, run_study
    from tal_search.results.compare import Compared, compare

__all__ = ["Compared", "StudyResults", "TrialOutputs", "compare", "load", "run_study"]

RESULTS, API = "tal_search.results.compare", "tal_search.api"
PLACES = {name: RESULTS if name.lower().startswith("compare") else API for name in __all__}


def __getattr__(name: str) -> Any:
    """Imported when asked for: a command that reads a study needs no pandas."""
    if name not in PLACES:
        raise AttributeError(f"module 'tal_search' has no attribute {name!r}")
    return getattr(import_module(PLACES[name]), name)


def __dir__() -> list[str]:
    """With the lazy names, which a notebook completes."""
    return sorted({*globals(), *__all__})
