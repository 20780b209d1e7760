"""Dataclass fields with rules (bounds, choices), which declare the settings of methods, localization and simulation."""

from __future__ import annotations

import math
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from dataclasses import Field

T = TypeVar("T")


def hyper(
    default: T,
    symbol: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    odd: bool = False,
    choices: tuple[str, ...] = (),
    help: str = "",
) -> T:
    """A dataclass field with a rule: closed bounds `low`, `high`, open bounds `above`, `below`, oddness, choices."""
    rule = {
        "low": low, "high": high, "above": above, "below": below, "odd": odd, "choices": choices, "symbol": symbol,
        "help": help,
    }  # fmt: skip
    return field(default=default, metadata=rule)


def broken_rule(spec: Field[object], value: object) -> str | None:
    """The rule of `spec` that `value` breaks, as it follows "must be", or None. The type is checked elsewhere."""
    rule = spec.metadata
    if not rule or value is None:
        return None
    if rule["choices"] and value not in rule["choices"]:
        return "one of " + ", ".join(rule["choices"])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value):
        return "a finite number"
    if rule["low"] is not None and value < rule["low"]:
        return f"at least {rule['low']:g}"
    if rule["above"] is not None and value <= rule["above"]:
        return f"greater than {rule['above']:g}"
    if rule["high"] is not None and value > rule["high"]:
        return f"at most {rule['high']:g}"
    if rule["below"] is not None and value >= rule["below"]:
        return f"less than {rule['below']:g}"
    if rule["odd"] and value % 2 == 0:
        return "odd"
    return None
