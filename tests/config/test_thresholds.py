"""tIoU thresholds as text: lists and ranges, exact, and every one that is refused."""

from __future__ import annotations

import pytest

from tal_search.config.thresholds import parse_tiou
from tal_search.errors import InputError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1:0.9:0.1", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
        ("0.5:0.95:0.05", tuple(round(0.5 + 0.05 * i, 2) for i in range(10))),
        ("0.5:0.5:0.1", (0.5,)),
        ("0.1:0.4:0.2", (0.1, 0.3)),
        ("0.3,0.5", (0.3, 0.5)),
        ("[0.3, 0.5]", (0.3, 0.5)),
        ("0.5", (0.5,)),
        (" 1 ", (1.0,)),
    ],
)
def test_thresholds_are_exact(text: str, values: tuple[float, ...]) -> None:
    assert parse_tiou(text) == values


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is not a number"),
        ("0.1:0.9", "three numbers"),
        ("0.1:0.9:0.1:2", "three numbers"),
        ("a:0.9:0.1", "'a' is not a number"),
        ("0.9:0.1:0.1", "empty range"),
        ("0.1:0.9:0", "empty range"),
        ("0.1:0.9:-0.1", "empty range"),
        ("0.1:0.9:1e-9", "more than 1000"),
        ("0.5,nan", "'nan' is not a number"),
        ("inf", "'inf' is not a number"),
        ("0.5,,0.6", "'' is not a number"),
        ("50", "outside"),
        ("0:0.5:0.1", "outside"),
        ("0.5,0.50", "more than once"),
        ("[0.5", "is not a number"),
    ],
)
def test_thresholds_that_are_none(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_tiou(text)
    assert all(problem.startswith(f"tiou={text}") for problem in caught.value.problems)


def test_every_bad_threshold_is_reported() -> None:
    with pytest.raises(InputError) as caught:
        parse_tiou("0,0.5,0.5,2")
    assert len(caught.value.problems) == 3
