"""Problems are collected in order and raised together; errors survive the way from a worker to the driver."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tal_search.errors import LISTED, InputError, Interrupted, MissingExtra, Problems


def test_all_problems_are_raised_together_in_their_order() -> None:
    problems = Problems()
    problems.raise_if_any()
    problems.add("first")
    with problems.gather():
        raise InputError(["second", "third"])
    problems.extend(["fourth"])
    assert len(problems) == 4
    with pytest.raises(InputError) as raised:
        problems.raise_if_any()
    assert raised.value.problems == tuple(problems) == ("first", "second", "third", "fourth")


def test_other_errors_are_not_collected() -> None:
    with pytest.raises(KeyError), Problems().gather():
        raise KeyError("x")


def test_the_problems_of_a_file_start_with_it_and_are_counted_beyond_a_page() -> None:
    problems = Problems(Path("x.json"))
    for number in range(LISTED + 2):
        problems.add(f"key {number}\nis wrong")
    with pytest.raises(InputError) as raised:
        problems.raise_if_any()
    assert len(raised.value.problems) == LISTED + 1
    assert raised.value.problems[0] == "x.json: key 0\\nis wrong"
    assert raised.value.problems[-1] == "x.json: and 2 more problems like these; fix those above first"


def test_of_many_problems_of_one_kind_a_few_are_spelled_out_and_the_others_counted() -> None:
    problems = Problems(Path("x.json"))
    for number in range(200):
        problems.add(f"video {number} has no subset", "no subset")
        problems.add(f"video {number} has no duration", "no duration")
    problems.add("something else")
    problems.add("once", "a kind of one")
    assert list(problems) == [
        "x.json: video 0 has no subset",
        "x.json: video 0 has no duration",
        "x.json: video 1 has no subset",
        "x.json: video 1 has no duration",
        "x.json: video 2 has no subset (and 197 more like it)",
        "x.json: video 2 has no duration (and 197 more like it)",
        "x.json: something else",
        "x.json: once",
    ]
    with pytest.raises(InputError) as raised:
        problems.raise_if_any()
    assert raised.value.problems == tuple(problems)


@pytest.mark.parametrize("error", [InputError(["a", "b"]), MissingExtra("dash", "dashboards")])
def test_an_error_of_a_worker_reaches_the_driver_whole(error: InputError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.problems, copy.exit_code) == (type(error), error.problems, 2)


def test_a_signal_has_the_exit_code_of_a_shell() -> None:
    assert Interrupted(15).exit_code == 143
