"""Numbers and names as text in tables and figures."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from tal_dashboards.style import COLOURS, figure, number, p_words, shown, text, translucent, value
from tal_search.results.statistics import HIGH, LOW


@pytest.mark.parametrize(("p", "words"), [(math.nan, "–"), (0.0004, "< 0.001"), (0.001, "0.001"), (0.25, "0.250")])
def test_p_values_have_three_digits(p: float, words: str) -> None:
    assert p_words(p) == words


def test_numbers_have_fixed_digits_and_a_sign_where_asked() -> None:
    assert [number(12.34), number(12.34, 2), number(1.0, 1, "+"), number(math.nan)] == ["12.3", "12.34", "+1.0", "–"]
    assert [value(1 / 12), value(None), value(True)] == ["1/12", "–", "yes"]


def test_a_table_joins_intervals_and_signs_differences() -> None:
    frame = pd.DataFrame({
        "mAP@0.5": [36.34, math.nan], "mAP@0.5" + LOW: [35.34, math.nan], "mAP@0.5" + HIGH: [37.34, math.nan],
        "Δ mAP@0.5": [1.26, -0.5], "p": [0.0001, math.nan], "n": [3, 0], "best (%)": [1.0, 2.0],
    })  # fmt: skip
    table = shown(frame)
    assert list(table) == ["mAP@0.5", "Δ mAP@0.5", "p", "n", "best (%)"]
    assert table.iloc[0].tolist() == ["36.3 ± 1.0", "+1.3", "< 0.001", "3", "1.0"]
    assert table.iloc[1].tolist() == ["–", "-0.5", "–", "0", "2.0"]


def test_names_are_text_and_colours_have_an_opacity() -> None:
    assert text("<b>&</b>") == "&lt;b&gt;&amp;&lt;/b&gt;"
    assert figure("<x>", "y").layout.xaxis.title.text == "&lt;x&gt;"
    assert translucent("#0072B2", 0.5) == "rgba(0,114,178,0.5)"
    assert len({*COLOURS}) == len(COLOURS)


def test_names_hold_no_characters_that_a_picture_or_a_page_cannot_show() -> None:
    assert text("<b>\x1b[31m\u202e") == "&lt;b&gt;\\x1b[31m\\u202e"
    assert shown(pd.DataFrame({"label": ["a\x00b\u2066"]}))["label"].tolist() == ["a\\x00b\\u2066"]
