"""File names of tables and figures."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tal_dashboards.export.names import file_names


@given(st.lists(st.text(), unique=True, max_size=6))
def test_file_names_are_ascii_and_distinct_and_lead_nowhere_else(titles: list[str]) -> None:
    names = file_names("v", titles)
    assert file_names("v", titles[::-1]) == names
    assert len({name.casefold() for name in names.values()}) == len(titles)
    for name in names.values():
        assert re.fullmatch(r"v(-[A-Za-z0-9_@=-]+)?", name)
        assert len(f"{name}.json") <= 100


def test_file_names_that_would_be_one_are_told_apart() -> None:
    names = file_names("tables", ["λ (lambda)", "lambda lambda", "LAMBDA lambda", "τ_same (tau_same)", "x" * 200, "类"])
    assert [name.rpartition("-")[0] for name in list(names.values())[:3]] == [
        "tables-lambda-lambda", "tables-lambda-lambda", "tables-LAMBDA-lambda"
    ]  # fmt: skip
    assert names["τ_same (tau_same)"] == "tables-tau_same-tau_same"
    assert len(set(names.values())) == 6
