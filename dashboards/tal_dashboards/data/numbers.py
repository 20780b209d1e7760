"""Numbers in addresses and text boxes, bounded before they are converted: anyone can write anything there."""

from __future__ import annotations

import math

MOST_DIGITS = 9  # of a whole number: pages, places in a list
MOST_CHARACTERS = 32  # of any other


def whole(text: str) -> int | None:
    """A number without sign; None for anything else."""
    return int(text) if len(text) <= MOST_DIGITS and text.isascii() and text.isdecimal() else None


def real(text: str) -> float:
    """A finite number ("0.5", "1e-3") or fraction ("1/16"). Raises ValueError for anything else."""
    numerator, slash, denominator = text.strip().partition("/")
    if len(text) > MOST_CHARACTERS or "_" in text:
        raise ValueError(f"not a number: {text[:MOST_CHARACTERS]}")
    below = float(denominator) if slash else 1.0
    number = float(numerator) / below if below else math.inf
    if not math.isfinite(number):
        raise ValueError(f"not a finite number: {text}")
    return number
