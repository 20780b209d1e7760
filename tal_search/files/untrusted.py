"""What every reader of arrays asks of a file before it takes any memory for it, and of the numbers after."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

# Bytes of one array: 65536 snippets of 1024 float32 channels, half a day of video. No real feature file is squeezed
# 250 times; a file of a few kilobytes that unpacks to gigabytes is.
MOST_BYTES = 1 << 28
MOST_HEADER = 1 << 14  # NumPy reads none of more than 10 000 characters
BOMB_BYTES, BOMB_RATIO = 1 << 24, 250


@dataclass(frozen=True)
class Header:
    """Shape and dtype that an array's header states."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def is_squeezed(stored: int, size: int) -> bool:
    """Whether `stored` bytes claim to unpack to a `size` that no features do."""
    return size > BOMB_BYTES and size > BOMB_RATIO * max(1, stored)


def read_header(stream: IO[bytes], name: str, size: int, problems: list[str]) -> Header | None:
    """The header of an npy file of `size` bytes, which must be what it claims; a problem and None where it is not.

    Raises ValueError where there is no header.
    """
    start = io.BytesIO(stream.read(MOST_HEADER))  # a header states its own length, and NumPy asks for as many bytes
    try:
        version = npy.read_magic(start)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(start)
    except Exception as error:  # a hostile header makes the parser fail in more ways than it says
        raise ValueError(f"{name} has no readable header") from error
    before = start.tell()
    if dtype.hasobject:
        problems.append(f"{name} is pickled (an object array), which is never loaded; save it as plain numbers")
    elif min(shape, default=0) < 0 or before + math.prod(shape) * dtype.itemsize != size:
        seen = f"{name} claims shape {shape} of {dtype} but holds {size - before} bytes"
        problems.append(f"{seen}; extract it again")
    else:
        return Header(shape, dtype)
    return None


def as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """What is beyond float32 becomes infinite, which `require_finite` reports."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def require_finite(array: NDArray[Any], name: str, problems: list[str]) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        problems.append(f"{name} has {count} values that are not finite (NaN or infinite); extract it again")
