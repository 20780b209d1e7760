"""Searching, sorting and paging of large tables."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tal_dashboards.app.grid import PAGE, Grid, Row, content, found, matching, searchable

TEXT = pd.DataFrame({
    "words": [" centre seed=0 ", " h=1 seed=1 ", " h=11 seed=1 affinity "],
    "values": [" h=3 seed=0 ", " h=1 seed=1 ", " h=11 seed=1 "],
})  # fmt: skip


def grid_of(frame: pd.DataFrame) -> Grid:
    heads = {str(name): str(name) for name in frame}
    return Grid("Trials", "h = 1", frame, heads, lambda: TEXT, lambda page: [Row([*map(str, row)]) for row in
                                                                             page.itertuples(index=False)])  # fmt: skip


def test_words_are_normalized_before_the_search() -> None:
    assert searchable("H = 1, Seed 2") == "h=1  seed=2"


@pytest.mark.parametrize(
    ("sought", "rows"),
    [("h = 1", [1]), ("seed 1", [1, 2]), ("ce", [0]), ("nt", []), ("ffin", [2]), ("h=11 seed=0", []), ("", [0, 1, 2])],
)
def test_every_word_must_match(sought: str, rows: list[int]) -> None:
    mask = matching(TEXT, sought)
    assert mask[mask].index.tolist() == rows


def test_rows_are_sorted_by_number_within_text_and_missing_values_come_last() -> None:
    frame = pd.DataFrame({"h": ["h 11", "h 2", "1/12"], "x": [2.0, None, 1.0]})
    assert found(grid_of(frame), "", "h")["h"].tolist() == ["1/12", "h 2", "h 11"]
    assert found(grid_of(frame), "", "-h")["h"].tolist() == ["h 11", "h 2", "1/12"]
    assert found(grid_of(frame), "", "-x").index.tolist() == [0, 2, 1]
    assert found(grid_of(frame), "", "none").index.tolist() == [0, 1, 2]


def test_numbers_stand_before_text() -> None:
    frame = pd.DataFrame({"x": ["b", 2.0, "a"]}, dtype=object)
    assert found(grid_of(frame), "", "x")["x"].tolist() == [2.0, "a", "b"]


def test_a_page_has_its_rows_and_the_next_order_of_each_column() -> None:
    frame = pd.DataFrame({"n": range(PAGE + 1)})
    page = json.loads(content("t", grid_of(frame), {"t-page": "2", "t-sort": "-n"}))
    assert (page["page"], page["pages"], page["count"]) == (2, 2, f"{PAGE + 1:,} rows")
    assert page["rows"] == [{"cells": ["0"], "look": ""}]
    assert page["heads"] == [{"words": "n", "kind": "number", "order": "n", "sorted": "descending"}]
    assert page["csv"] == "t.csv?find=&sort=-n"
    assert json.loads(content("t", grid_of(frame), {"t-page": "x"}))["page"] == 1
