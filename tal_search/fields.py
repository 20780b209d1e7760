"""Fields that carry their rule: how a method, the localization or the simulation declares what a study may set."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import field
from typing import Any


def hyper(
    default: Any,
    symbol: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    odd: bool = False,
    choices: tuple[str, ...] = (),
    help: str = "",
) -> Any:
    """A dataclass field that carries its rule: closed bounds `low`/`high`, open bound `above`, oddness, choices."""
    rule = {"low": low, "high": high, "above": above, "odd": odd, "choices": choices, "symbol": symbol, "help": help}
    return field(default=default, metadata=rule)


def broken_rule(spec: dataclasses.Field[Any], value: Any) -> str | None:
    """The rule of `spec` that `value` breaks, as words after "must be", or None. The type is checked elsewhere."""
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
    if rule["odd"] and value % 2 == 0:
        return "odd"
    return None
