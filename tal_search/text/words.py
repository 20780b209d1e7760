"""Counts and lists in sentences."""

from __future__ import annotations

from tal_search.errors import LISTED


def counted(number: int, what: str) -> str:
    """The number with its noun: "1 instance", "2 instances"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def some_of(items: list[str], most: int = LISTED) -> str:
    """The first items, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"
