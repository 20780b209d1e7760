"""Loops that NumPy cannot run fast, compiled by Numba at their first call; the machine code is kept on disk.

Sums and products are taken one by one, in the order of the formulas (no fastmath, no second thread), so that results
equal the plain reference in `tests/` to the last bit.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function` as machine code, from the folder that Numba keeps it in where that can be read and written.

    Numba takes $NUMBA_CACHE_DIR, `__pycache__` beside the file, or the user's cache folder, whichever can be written
    first. None of them, a full disk or a damaged file there cost time, never a trial: compiled for this process alone.
    """
    alone = inlined(function)
    try:
        kept = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to keep it in
        return alone

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
        try:
            return kept(*args, **kwargs)
        except (OSError, EOFError, pickle.UnpicklingError):
            return alone(*args, **kwargs)

    return call


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function` for use in a compiled one of the same file, and kept with it: Numba notices no change in another."""
    machine_code: Callable[Arguments, Result] = numba.njit(nogil=True, error_model="numpy")(function)
    return machine_code
