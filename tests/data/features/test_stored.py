"""Numbers that feature files state: read alike whatever their type."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.features.stored import MOST, common_length, stated_numbers, video_of
from tal_search.errors import InputError, Problems

NUMBERS = st.floats(min_value=1e-3, max_value=1e3)


@given(NUMBERS, st.sampled_from(sorted(MOST)))
def test_a_number_is_the_same_in_every_form(number: float, name: str) -> None:
    problems = Problems(Path("x"))
    text = repr(number)
    for form in (number, text, text.encode(), np.float64(number), np.array(text), np.array([text.encode()])):
        assert stated_numbers({name: form, "other": "x"}, problems) == {name: number}
    assert not problems


@given(st.one_of(st.text(max_size=20), st.binary(max_size=20), st.floats(), st.integers(), st.none()))
def test_whatever_is_stated_gives_a_plausible_number_or_a_problem(value: object) -> None:
    problems = Problems(Path("x"))
    numbers = stated_numbers(dict.fromkeys(MOST, value), problems)
    assert len(numbers) + len(problems) == len(MOST)
    assert all(math.isfinite(number) and 0 <= number <= MOST[name] for name, number in numbers.items())
    assert all(number > 0 or name == "offset" for name, number in numbers.items())
    video_of(np.ones((2, 3), np.float32), numbers)


def test_the_bounds_of_a_number_are_named_as_they_are() -> None:
    problems = Problems(Path("x"))
    assert stated_numbers(dict.fromkeys(("fps", "offset"), 0), problems) == {"offset": 0}
    stated_numbers({"offset": -1}, problems)
    with pytest.raises(InputError) as error:
        problems.raise_if_any()
    assert "fps is 0; give one number above 0, at most 1000, or leave it out" in str(error.value)
    assert "offset is -1; give one number from 0 to 10000, or leave it out" in str(error.value)


def test_streams_may_differ_by_one_snippet() -> None:
    assert common_length([40, 40]) == 40
    assert common_length([41, 40]) == common_length([40, 41]) == 40
    assert common_length([42, 40]) is None
    assert common_length([7]) == 7
