"""Checks on arrays in files from elsewhere: claimed sizes before any memory is allocated, and values afterwards."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tal_search.errors import Problems

# Bytes of one array: 65536 snippets of 1024 float32 channels, half a day of video. Real feature files are never
# compressed 250-fold; a file of a few kilobytes that unpacks to gigabytes is.
MOST_BYTES = 1 << 28
MOST_HEADER = 1 << 14  # bytes; NumPy reads no header of more than 10 000 characters
BOMB_BYTES, BOMB_RATIO = 1 << 24, 250


@dataclass(frozen=True)
class Header:
    """Shape and dtype that an array's header claims."""

    shape: tuple[int, ...]
    dtype: np.dtype


def is_squeezed(stored: int, size: int) -> bool:
    """Whether `stored` bytes claim to unpack to a `size` that no features have."""
    return size > BOMB_BYTES and size > BOMB_RATIO * max(1, stored)


def read_header(stream: IO[bytes], name: str, size: int, problems: Problems) -> Header | None:
    """The header of an npy file of `size` bytes; None, with a problem, where its claims do not fit the file.

    Raises ValueError where the header cannot be read.
    """
    start = io.BytesIO(stream.read(MOST_HEADER))  # a header states its length, and NumPy would read that many bytes
    try:
        version = npy.read_magic(start)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(start)
    except Exception as error:  # a hostile header makes the parser raise more than its documented errors
        raise ValueError(f"{name} has no readable header") from error
    before = start.tell()
    if dtype.hasobject:
        problems.add(f"{name} is pickled (an object array), which is never loaded; save it as plain numbers")
    elif min(shape, default=0) < 0 or before + math.prod(shape) * dtype.itemsize != size:
        seen = f"{name} claims shape {shape} of {dtype} but holds {size - before} bytes"
        problems.add(f"{seen}; extract it again")
    else:
        return Header(shape, dtype)
    return None


def as_float32(array: np.ndarray) -> NDArray[np.float32]:
    """Values beyond float32 become infinite, which `require_finite` reports."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def require_finite(array: np.ndarray, name: str, problems: Problems) -> None:
    """Add a problem where an array of floats has values that are NaN or infinite."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        problems.add(f"{name} has {count} values that are not finite (NaN or infinite); extract it again")
