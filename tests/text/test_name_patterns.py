"""Regular expressions that find subjects: bad and catastrophic ones are refused; others end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.text.name_patterns import group_of, pattern_problem

REFUSED = {
    "(": "is no regular expression",
    "(a)(b)": "has 2 groups",
    "(a+)+b": "repeats a group",
    "(?:a|a)*b": "repeats a group",
    "(?:a{1,9}){2,9}": "repeats a group",
    "(?x)(a+) *b": "is verbose",
    r"(a+)\1": "refers to a group",
    "(?P<x>a+)(?P=x)": "refers to a group",
    ".*.*.*.*.*x": "has 5 repetitions",
    "a?" * 25 + "a" * 25: "has 25 repetitions",
    "a" * 101: "has 101 characters",
    "(?P<a>x": "is no regular expression",
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_expressions_that_cannot_name_subjects_are_refused_with_the_reason(pattern: str) -> None:
    assert REFUSED[pattern] in str(pattern_problem(pattern))


@pytest.mark.parametrize(
    "pattern",
    [r"user(\d+)", r"^[^_]+_(\w+)$", r"(?i)SUBJECT[-_]?(\d{1,3})", r"^(?:exp\d+_)?(user\d+)", r"s\(\d\+", "[(+*]+", ""],
)
def test_usual_expressions_are_accepted(pattern: str) -> None:
    assert pattern_problem(pattern) is None


@settings(deadline=None)
@given(st.text(alphabet="ab.*+?{}()|[]^$\\d1,", max_size=14))
def test_an_accepted_expression_ends_on_every_name(pattern: str) -> None:
    """A pattern whose steps are not bounded would run for hours here."""
    if pattern_problem(pattern, 40) is None:
        for name in ("a" * 40, "ab" * 20, "a" * 39 + "!"):
            group_of(name, pattern)


def test_what_is_found_is_the_group_of_the_expression_else_the_match() -> None:
    assert group_of("exp01_user03", r"user(\d+)") == "03"
    assert group_of("exp01_user03", r"user\d+") == "user03"
    assert group_of("exp01_user03", r"^exp(?:\d+)_(user\d+)$") == "user03"
    assert group_of("exp01", r"user(\d+)") is None
