"""Bounds on the JSON that a page sends, checked before anything converts or uses it."""

from __future__ import annotations

import json
import math
from typing import NoReturn

MOST_DIGITS = 16  # of an integer; a browser counts exactly up to 2**53
MOST_DEPTH = 40  # a callback's JSON is about ten levels deep


def checked(body: bytes) -> None:
    """Raise ValueError, in words for the client, unless the body is a JSON object with finite, bounded numbers."""
    try:
        content = json.loads(body, parse_int=_whole, parse_float=_real, parse_constant=_refused)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise ValueError("The JSON is not UTF-8.") from None
    except json.JSONDecodeError:
        raise ValueError("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise ValueError("The JSON is not an object.")
    level: list[object] = [content]
    for _ in range(MOST_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise ValueError("The JSON is nested too deeply.")


def _inside(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        _refused(text)
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refused(text)
    return number


def _refused(text: str) -> NoReturn:
    raise ValueError(f"A number is out of bounds: {text[:20]}")
