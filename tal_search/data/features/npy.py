"""Features in npy files, one array [T0, D] a video, read without trusting the file.

BaS-Net's and LACP's layout has a file for each stream, rgb/VIDEO.npy and flow/VIDEO.npy; ActionFormer's and OpenTAD's
has one file VIDEO.npy with both streams side by side. Neither holds anything besides features.

Shapes: D channels, T0 snippets stored.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tal_search.data.features.stored import StoredShape, VideoFile, common_length, video_of
from tal_search.errors import InputError, Problems
from tal_search.files.untrusted import MOST_BYTES, Header, as_float32, read_header, require_finite

CHUNK_BYTES = 1 << 20


def read_video(path: Path, channels: int | None = None) -> VideoFile:
    """The features of one file. Raises InputError with every problem: see `read_parts`."""
    return read_parts([path], channels)


def read_shape(path: Path) -> StoredShape:
    """The shape, from the header alone. Raises InputError where the file holds no features."""
    return _shape_of([path])


def both_streams(path: Path) -> list[Path]:
    """The rgb file and the flow file of a video; `path` is the first."""
    return [path, path.parents[1] / "flow" / path.name]


def read_streams(path: Path, channels: int | None = None) -> VideoFile:
    """The features of both streams, rgb first. Raises InputError with every problem: see `read_parts`."""
    return read_parts(both_streams(path), channels)


def streams_shape(path: Path) -> StoredShape:
    """The shape of both streams together, from the headers alone. Raises InputError as `read_shape`."""
    return _shape_of(both_streams(path))


def read_parts(paths: list[Path], channels: int | None) -> VideoFile:
    """Arrays [T0, D'] of several files as one [D, T0], the shorter T0 of two; `channels`: D expected, None for any.

    Raises InputError with every problem: not a whole npy file, pickled, not floats of two axes, lengths that differ by
    more than one snippet, D not as expected, values that are not finite. Sizes are checked before memory is allocated.
    """
    shape = _shape_of(paths)
    if channels is not None and shape.channels != channels:
        raise InputError(f"{paths[0]}: expected {channels} feature channels, got {shape.channels}")
    parts = [_read(path) for path in paths]
    cut = any(len(part) > shape.snippets for part in parts)
    return video_of(np.concatenate([part[: shape.snippets].T for part in parts]), {}, cut=cut)


def _shape_of(paths: list[Path]) -> StoredShape:
    """Shape of several files side by side. Raises InputError where their lengths differ by more than one snippet."""
    shapes = [_header_of(path).shape for path in paths]
    lengths = [shape[0] for shape in shapes]
    snippets = common_length(lengths)
    if snippets is None:
        seen = " and ".join(f"{count} in {path.parent.name}" for count, path in zip(lengths, paths, strict=True))
        raise InputError(f"{paths[0]}: has {seen} snippets; extract it again")
    return StoredShape(sum(shape[1] for shape in shapes), snippets, shapes[0][1])


def checksum(path: Path) -> int:
    """CRC-32 of the whole file. Raises InputError where it cannot be read."""
    try:
        stat = path.stat()
        return _checksum(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct the path") from None


@lru_cache(maxsize=100_000)
def _checksum(path: Path, size: int, modified: int) -> int:  # noqa: ARG001 - keys of the cache: a changed file is read again
    value = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            value = zlib.crc32(chunk, value)
    return value


def _header_of(path: Path) -> Header:
    problems = Problems(path)
    header = None
    try:
        size = path.stat().st_size
        if size > 2 * MOST_BYTES:  # both streams in one file
            raise InputError(f"{path}: has {size} bytes, too many for the features of one video; extract it again")
        with path.open("rb") as stream:
            header = read_header(stream, "the array", size, problems)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"{path}: is truncated or not an npy file ({reason}); fetch or extract it again") from None
    check_shape(header, problems)
    problems.raise_if_any()
    assert header is not None
    return header


def check_shape(header: Header | None, problems: Problems) -> None:
    """Add a problem where an array is not floats [snippets, channels]."""
    if header is not None and (len(header.shape) != 2 or 0 in header.shape or header.dtype.kind != "f"):
        seen = f"the array is {header.dtype} of shape {header.shape}"
        problems.add(f"{seen}; expected floats [snippets, channels]")


def _read(path: Path) -> NDArray[np.float32]:
    """The array [T0, D'] of a file whose header has been checked."""
    problems = Problems(path)
    try:
        with path.open("rb") as stream:
            features_TD = as_float32(npy.read_array(stream, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is truncated or not an npy file ({error}); fetch or extract it again") from None
    require_finite(features_TD, "the array", problems)
    problems.raise_if_any()
    return features_TD
