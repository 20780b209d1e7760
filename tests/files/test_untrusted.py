"""Headers and values of arrays from elsewhere: claims that do not fit, pickles, numbers that are not finite."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tal_search.errors import Problems
from tal_search.files.untrusted import BOMB_BYTES, as_float32, is_squeezed, read_header, require_finite
from tests.support.make_dataset import problems_of


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header_of(content: bytes) -> tuple[object, list[str]]:
    problems = Problems()
    header = read_header(io.BytesIO(content), "a", len(content), problems)
    return header and (header.shape, header.dtype), list(problems_of(problems.raise_if_any)) if len(problems) else []


@pytest.mark.parametrize("dtype", ["f4", "i8", "U5"])
def test_a_whole_array_has_its_shape_and_dtype(dtype: str) -> None:
    assert header_of(saved(np.zeros((3, 2), dtype))) == (((3, 2), np.dtype(dtype)), [])


def test_a_claim_that_does_not_fit_the_file_is_a_problem() -> None:
    whole = saved(np.zeros((3, 2), "f4"))
    _, (problem,) = header_of(whole[:-1])
    assert problem == "a claims shape (3, 2) of float32 but holds 23 bytes; extract it again"
    _, (problem,) = header_of(whole.replace(b"(3, 2), }", b"(-3, -2)}"))
    assert "claims shape (-3, -2)" in problem


def test_a_pickle_is_a_problem_and_never_loaded() -> None:
    _, (problem,) = header_of(saved(np.array([{}], object)))
    assert problem.startswith("a is pickled (an object array), which is never loaded")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{'descr'", b"PK\x03\x04" * 9])
def test_no_header_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="a has no readable header"):
        header_of(content)


def test_values_beyond_float32_become_infinite_and_are_counted() -> None:
    array, problems = as_float32(np.array([1.0, 1e300, -1e300])), Problems()
    assert array.dtype == np.float32
    require_finite(array, "a", problems)
    require_finite(np.array([1, 2]), "whole numbers", problems)
    assert problems_of(problems.raise_if_any) == (
        "a has 2 values that are not finite (NaN or infinite); extract it again",
    )


def test_small_files_that_unpack_to_much_are_bombs() -> None:
    assert is_squeezed(1000, BOMB_BYTES + 1)
    assert not is_squeezed(1000, BOMB_BYTES)
    assert not is_squeezed(BOMB_BYTES // 200, BOMB_BYTES + 1)
