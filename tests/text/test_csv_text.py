"""Exported CSV files: text is text for a spreadsheet, numbers are numbers, and the file is read back as it was."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from tal_search.text.csv_text import csv_text, quoted


@pytest.mark.parametrize(
    "cell", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "+1 -2", "＝1", "-1;=2"]
)
def test_text_that_begins_like_a_formula_is_quoted(cell: str) -> None:
    assert quoted(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["-3.5", "+1", "-1e-3", "-.5", "-inf", "a=1", "−3", "", " =1", -3.5, None, True, (1, 2)]
)
def test_numbers_and_other_text_stay(cell: object) -> None:
    assert quoted(cell) == cell


def test_a_table_is_quoted_in_every_column_and_its_heads() -> None:
    table = pd.DataFrame({
        "=cmd": ["@x", "y", None], "mixed": ["-3.5", -3.5, "=HYPERLINK(1)"], "n": [-1, 0, 1],
        "x": [-0.5, np.nan, np.inf],
        "kind": pd.Categorical(["=a", "b", "b"]), "texts": pd.array(["=t", "u", None], dtype="string"),
    })  # fmt: skip
    text = csv_text(table)
    assert text.splitlines() == [
        "'=cmd,mixed,n,x,kind,texts", "'@x,-3.5,-1,-0.5,'=a,'=t", "y,-3.5,0,,b,u", ",'=HYPERLINK(1),1,inf,b,",
    ]  # fmt: skip
    assert table["=cmd"].tolist()[0] == "@x"
    back = pd.read_csv(io.StringIO(text))
    assert back["n"].tolist() == [-1, 0, 1]
    assert back["x"].tolist()[0] == -0.5


def test_equal_heads_and_other_indices_are_kept() -> None:
    table = pd.DataFrame([["=a", "=b"]], columns=["x", "x"], index=[7])
    assert csv_text(table) == "x,x\n'=a,'=b\n"
