"""Decorators for loops compiled by Numba at their first call, with the machine code cached on disk.

Operations keep the order of the source (no fastmath, no threads), so that results equal the plain reference in `tests/`
to the last bit.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function` as machine code, cached on disk where possible.

    Numba caches in the first of these that is writable: $NUMBA_CACHE_DIR, `__pycache__` beside the file, the user's
    cache folder. Without any, or with a full disk, the function is compiled for this process only; with a damaged file
    too, which is removed, so that the next process caches it again.
    """
    alone = inlined(function)
    try:
        kept = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no writable folder
        return alone

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return kept(*args, **kwargs)
        except (OSError, EOFError, pickle.UnpicklingError):
            name = f"*.{function.__name__}-{function.__code__.co_firstlineno}.*.nb?"
            for damaged in Path(str(kept.stats.cache_path)).glob(name):
                with suppress(OSError):
                    damaged.unlink()
            return alone(*args, **kwargs)

    return call


def inlined(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`function` for calls from a `compiled` one of the same file: Numba's cache misses changes in other files."""
    machine_code: Callable[Arguments, Result] = numba.njit(nogil=True, error_model="numpy")(function)
    return machine_code
