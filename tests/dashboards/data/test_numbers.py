"""Numbers that anyone may have written into an address."""

from __future__ import annotations

import pytest

from tal_dashboards.data.numbers import real, whole


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", "²", "١٢", " 1", "1_0", "9" * 10, "9" * 1_000_000])
def test_what_is_no_small_whole_number_is_none(text: str) -> None:
    assert whole(text) is None


def test_whole_numbers() -> None:
    assert [whole(text) for text in ("0", "12", "0012", "9" * 9)] == [0, 12, 12, 999_999_999]


@pytest.mark.parametrize(
    "text",
    ["", "x", "nan", "inf", "-Infinity", "1e999", "1e999999999", "1/0", "1/", "/2", "1/2/3", "1e308/1e-308", "1_0",
     "9" * 1_000_000, "1" + "0" * 40],
)  # fmt: skip
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|could not convert"):
        real(text)


def test_numbers_and_fractions() -> None:
    assert [real(text) for text in ("0.5", "-1e-3", " 1/16 ", "3")] == [0.5, -1e-3, 0.0625, 3.0]
