"""Hyperparameter studies for temporal action localization. `compare` is also for numbers from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tal_search.results.compare import Compared, compare

__all__ = ["Compared", "compare"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: a command that reads a study needs no pandas."""
    if name not in __all__:
        raise AttributeError(f"module 'tal_search' has no attribute {name!r}")
    from tal_search.results import compare as module

    return getattr(module, name)
