"""tIoU thresholds as files and the command line write them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from tal_search.errors import InputError, Problems

MOST_THRESHOLDS = 1000


def parse_tiou(text: str) -> tuple[float, ...]:
    """tIoU thresholds from START:STOP:STEP (both ends included) or a list: "0.1:0.9:0.1", "0.3,0.5", "[0.3,0.5]".

    Decimal arithmetic: 0.1:0.9:0.1 is exactly nine values, the third 0.3. Raises InputError with every problem.
    """
    ranged, bare = ":" in text, text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    parts = bare.split(":" if ranged else ",")
    numbers = [_decimal(part) for part in parts]
    wrong = [part.strip() for part, number in zip(parts, numbers, strict=True) if number is None]
    values = [number for number in numbers if number is not None]
    if wrong or (ranged and len(values) != 3):
        seen = f"'{wrong[0]}' is not a number" if wrong else "a range has three numbers"
        raise InputError(f"tiou={text}: {seen}; give START:STOP:STEP (0.1:0.9:0.1) or a list (0.3,0.5)")
    if ranged:
        values = _range(text, *values)
    problems = Problems()
    problems.extend(
        f"tiou={text}: {value} is outside (0, 1]; give a fraction" for value in values if not 0 < value <= 1
    )
    repeated = sorted({value for value in values if values.count(value) > 1})
    problems.extend(f"tiou={text}: {value} is given more than once; keep one" for value in repeated)
    problems.raise_if_any()
    return tuple(float(value) for value in values)


def _range(text: str, start: Decimal, stop: Decimal, step: Decimal) -> list[Decimal]:
    if step <= 0 or stop < start:
        raise InputError(f"tiou={text} is an empty range; START must not exceed STOP, and STEP must be positive")
    last = (stop - start) / step
    if last >= MOST_THRESHOLDS:
        raise InputError(f"tiou={text} has more than {MOST_THRESHOLDS} thresholds; give a greater STEP")
    return [start + index * step for index in range(int(last) + 1)]


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
