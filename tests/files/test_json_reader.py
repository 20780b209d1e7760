"""Users' JSON files: whole or refused, and every problem of the content noted."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import brief, items_of, nearest_of, number_of, read_object, segment_of
from tests.support.make_dataset import problems_of


def said(problems: Problems) -> list[str]:
    return list(problems_of(problems.raise_if_any)) if len(problems) else []


def test_a_file_gives_its_object_its_entries_and_the_keys_it_repeats(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"results": {"v": [1], "w": [], "v": [2]}, "version": 3}')
    file = read_object(path, "results")
    assert file.entries == {"v": [2], "w": []}
    assert file.content == {"results": file.entries, "version": 3}
    assert said(file.problems) == [f"{path}: key 'v' is given more than once in one object; keep one"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"cannot be read \(No such file"),
        ("{", "is not a whole JSON file"),
        ("[" * 100_000, "is not a whole JSON file"),
        ("[]", "has no object 'results'; give an ActivityNet-style file"),
        ('{"results": []}', "has no object 'results'"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=says):
        read_object(tmp_path / "a.json", "results")


def test_items_are_objects_with_their_place() -> None:
    problems = Problems()
    assert list(items_of("v", [{"a": 1}, 2], problems)) == [("v[0]", {"a": 1})]
    assert list(items_of("w", None, problems)) == list(items_of("x", "text", problems)) == []
    assert [problem.split(";")[0] for problem in said(problems)] == ["v[1] is 2", "w is missing", "x is text"]


@pytest.mark.parametrize(
    ("segment", "kept", "says"),
    [
        ([1, "2.5"], (1.0, 2.5), None),
        ([2, 2], None, "which is not longer than 0 s"),
        ([3, 2], None, "which is not longer than 0 s"),
        ([1, math.inf], None, "two finite numbers of seconds"),
        ([1], None, "two finite numbers of seconds"),
        (None, None, "segment is missing"),
    ],
)
def test_a_segment_is_two_finite_seconds(segment: object, kept: tuple[float, float] | None, says: str | None) -> None:
    problems = Problems()
    assert segment_of("v", {"segment": segment}, problems) == kept
    assert [says in problem for problem in said(problems)] == [True] * (says is not None)


def test_a_segment_may_be_empty_where_the_reader_says_so() -> None:
    problems = Problems()
    assert segment_of("v", {"segment": [2, 2]}, problems, may_be_empty=True) == (2, 2)
    assert segment_of("v", {"segment": [3, 2]}, problems, may_be_empty=True) is None
    assert "which ends before it starts" in said(problems)[0]


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60))
def test_a_number_may_be_written_as_text(value: float) -> None:
    assert number_of(value) == number_of(repr(value)) == float(value)


def test_what_is_no_number_is_nan() -> None:
    assert all(math.isnan(number_of(value)) for value in (None, True, "", "a", [1], {}, 10**400))


def test_values_are_shortened_and_names_hinted_at() -> None:
    assert (brief("a"), brief(None), brief([1, "b"])) == ("a", "missing", '[1, "b"]')
    assert brief("x" * 61) == "x" * 57 + "..."
    assert nearest_of("Divng", ("Diving", "Swimming")) == " (did you mean 'Diving'?)"
    assert nearest_of("zzz", ("Diving",)) == ""


def test_a_pipe_a_device_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link", Path("/dev/zero")):
        with pytest.raises(InputError, match=r"cannot be read \(it is a pipe or a device, not a regular file\); give"):
            read_object(path, "results")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_object(tmp_path, "results")


def test_numbers_that_only_python_would_read_are_none(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text('{"results": {"v": %s}}' % ("1" * 5000))
    assert not math.isfinite(number_of(read_object(path, "results").entries["v"]))
    assert [math.isnan(number_of(text)) for text in ("10_0", "1_0.5", "10.5")] == [True, True, False]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"video,start,end\nv,1,2\n", "is no JSON file"),
        (b"results: {}\n", "is no JSON file"),
        (b'{"results": {"v": [1', "is not a whole JSON file"),
        (b"", "is not a whole JSON file"),
        (b"  [1, 2", "is not a whole JSON file"),
    ],
)
def test_a_file_of_another_kind_is_not_called_damaged(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_bytes(content)
    (problem,) = problems_of(lambda: read_object(path, "results"))
    assert problem.startswith(f"{path}: {says}")
