"""Values of study files: converted to the types of settings, or described in a message."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tal_search.config.checking import closest, converted, did_you_mean, repeated, words
from tal_search.config.yaml_reader import INVALID
from tal_search.types import Plain

Seeds = tuple[int, ...]
Annotators = Literal["auto"] | tuple[str, ...]


@pytest.mark.parametrize(
    ("hint", "value", "typed"),
    [
        (int, 3, 3), (int, 3.0, INVALID), (int, True, INVALID), (int, "3", INVALID), (int, None, INVALID),
        (float, 3, 3.0), (float, "1/4", 0.25), (float, " -1 / 4 ", -0.25), (float, "1/0", INVALID),
        (float, False, INVALID), (float, float("inf"), INVALID), (float | None, None, None),
        (bool, True, True), (bool, 1, INVALID), (str, "a", "a"), (str, 1, INVALID), (str, ["a"], INVALID),
        (float, "30.0", 30.0), (float | None, " 4 ", 4.0), (float, "nan", INVALID), (float, "inf", INVALID),
        (float, "fast", INVALID), (float, "true", INVALID), (int, "4", INVALID),
        (Path, "a/b", Path("a/b")), (Path, "~no one/b", Path("~no one/b")), (Path, "", INVALID), (Path, "a\0", INVALID),
        (Seeds, [0, 2], (0, 2)), (Seeds, [0, "2"], INVALID), (Seeds, 0, INVALID), (Seeds, [], ()),
        (Annotators, "auto", "auto"), (Annotators, ["auto"], ("auto",)), (Annotators, "A1", INVALID),
    ],
)  # fmt: skip
def test_a_value_becomes_its_type_or_is_invalid(hint: object, value: Plain, typed: object) -> None:
    found = converted(hint, value)
    assert found == typed
    assert type(found) is type(typed)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "a whole number"), (float | None, "a finite number or null"), (Path, "a path"),
        (Literal["ray", "inline"], "one of ray, inline"), (Annotators, "auto or a list, each value text"),
    ],
)  # fmt: skip
def test_a_type_is_described_in_words(hint: object, text: str) -> None:
    assert words(hint) == text


def test_the_closest_name_is_suggested_whatever_its_case() -> None:
    assert closest("MAP", ["mAP", "parameters"]) == "mAP"
    assert closest("lamda_sep", ["lambda_sep", "beta_aff"]) == "lambda_sep"
    assert closest("x", ["lambda_sep"]) is None
    assert did_you_mean("mAP") == "; did you mean 'mAP'?"
    assert did_you_mean(None) == ""


def test_repeated_values_are_named_once() -> None:
    assert repeated([1, 2, 1, 1, 0.0, 0]) == [1, 0.0]
