"""Counts and lists in sentences."""

from __future__ import annotations

import math

from tal_search.errors import LISTED


def counted(number: int, what: str) -> str:
    """The number with its noun: "1 instance", "2 instances"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def some_of(items: list[str], most: int = LISTED) -> str:
    """The first items, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"


def time_words(seconds: float) -> str:
    """A time in a readable unit: "40 s", "6.5 min", "5.2 h"; "–" where it is unknown (NaN)."""
    if math.isnan(seconds):
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
