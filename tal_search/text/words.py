"""Counts and lists in sentences."""

from __future__ import annotations

import math

from tal_search.errors import LISTED

TINY = 1e-12  # below this, an end of an interval is 0 but for its side


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


def around(mean: float, low: float, high: float, digits: int = 1) -> str:
    """An interval in text, after its mean: " ± half", " [low, high]" if it is cut off at 0 or 100, or "".

    An end that reaches to 0 and excludes it is ">0" or "<0".
    """
    if math.isnan(low):
        return ""
    if math.isclose(high - mean, mean - low, rel_tol=1e-6, abs_tol=1e-9):
        return f" ± {high - mean:.{digits}f}"
    lowest = ">0" if 0 < low < TINY else f"{low:.0f}"
    highest = "<0" if -TINY < high < 0 else f"{high:.0f}"
    return f" [{lowest}, {highest}]"
