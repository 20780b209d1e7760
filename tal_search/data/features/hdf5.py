"""Features in one HDF5 file with a dataset [T0, D] a video, read without trusting the file.

A video is written as a path: FILE.h5/VIDEO. Links (to another file, or soft ones), data kept in other files and
datasets that claim more than the file holds are refused before any memory is taken.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tal_search.data.features.npy import check_shape
from tal_search.data.features.npz import VideoFile
from tal_search.errors import InputError, MissingExtra
from tal_search.files.untrusted import BOMB_BYTES, MOST_BYTES, Header, as_float32, is_squeezed, require_finite

SUFFIXES = (".h5", ".hdf5")
LZF_RATIO = 88  # the most that it can unpack to; gzip's own, 1032, is not relied on
CHECKSUM_BYTES = 4
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zlib.error)


def videos_of(file: Path) -> dict[str, Path]:
    """Video → path, sorted by name. Raises InputError where the file is no HDF5 file."""
    with _opened(file) as content:
        return {name: file / name for name in sorted(content)}


def read_channels(path: Path) -> int:
    """D, without reading the features. Raises InputError as `read_video`."""
    with _opened(path.parent) as content:
        return int(_dataset(content, path).shape[1])


def read_video(path: Path, channels: int | None = None) -> VideoFile:
    """The features of one video. `channels`: D expected, None for any.

    Raises InputError: not a whole HDF5 file, links, groups, data kept elsewhere, not floats of two axes, D not as
    expected, values that are not finite.
    """
    problems: list[str] = []
    with _opened(path.parent) as content:
        dataset = _dataset(content, path)
        if channels is not None and dataset.shape[1] != channels:
            raise InputError(f"{path}: expected {channels} feature channels, got {dataset.shape[1]}")
        features_TD = as_float32(dataset[()])
    require_finite(features_TD, "the dataset", problems)
    if problems:
        raise InputError(f"{path}: {problem}" for problem in problems)
    return VideoFile(features=np.ascontiguousarray(features_TD.T))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The file's root group; any way in which it is no whole HDF5 file becomes one sentence."""
    try:
        import h5py
    except ImportError:
        raise MissingExtra("h5py", "hdf5") from None
    try:
        with h5py.File(file, "r", locking=False) as content:
            yield content
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: is damaged or no HDF5 file ({reason}); fetch or write it again") from None


def _dataset(content: Any, path: Path) -> Any:
    """The dataset of a video, its claims checked; not one byte of it is read."""
    import h5py

    link = content.get(path.name, getlink=True)
    if link is None:
        raise InputError(f"{path}: is not in the file any more; write it again")
    if not isinstance(link, h5py.HardLink):
        raise InputError(f"{path}: is a link, which is never followed; write the features themselves into the file")
    dataset = content[path.name]
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"{path}: is not a dataset; write one dataset [snippets, channels] a video, without groups")
    if dataset.external or dataset.is_virtual:
        raise InputError(f"{path}: keeps its data in another file, which is never opened; write it into this one")
    problems: list[str] = []
    if dataset.shape is None:
        raise InputError(f"{path}: is empty; write floats [snippets, channels]")
    check_shape(Header(dataset.shape, dataset.dtype), problems)
    stored, held = dataset.id.get_storage_size(), path.parent.stat().st_size
    if stored > held:
        problems.append(f"claims {stored} bytes of a file of {held}; write it again")
    elif dataset.nbytes > 2 * MOST_BYTES or is_squeezed(stored, dataset.nbytes):
        problems.append(f"unpacks from {stored} to {dataset.nbytes} bytes, more than features can; write it again")
    elif not stored and not problems:
        problems.append("holds no data; write it again")
    elif not problems and dataset.chunks is not None:
        _check_chunks(dataset, problems)
    if problems:
        raise InputError(f"{path}: {problem}" for problem in problems)
    return dataset


def _check_chunks(dataset: Any, problems: list[str]) -> None:
    """A problem where reading may take more memory than the dataset's own: HDF5 unpacks a chunk to whatever it holds.

    Chunks are unpacked here first, one at a time and no further than their size.
    """
    from h5py import h5z

    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if size > max(dataset.nbytes, BOMB_BYTES):
        problems.append(f"has chunks of {size} bytes, more than itself; write it again")
        return
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    packers = [code for code in filters if code not in (h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)]
    last = [code for code in filters if code != h5z.FILTER_FLETCHER32][-1:]
    if packers and (packers != last or packers[0] not in (h5z.FILTER_DEFLATE, h5z.FILTER_LZF)):
        problems.append("is packed by other filters than gzip or lzf, after shuffle; write it with one of them")
        return

    def is_bomb(chunk: Any) -> bool | None:
        """Chunks are visited until one is."""
        skipped = bool(packers) and bool(chunk.filter_mask >> filters.index(packers[0]) & 1)
        if chunk.size > size + size // 100 + BOMB_BYTES // 250:
            return True
        if not packers or skipped:
            return None
        if packers[0] == h5z.FILTER_LZF:
            return chunk.size * LZF_RATIO > 2 * MOST_BYTES or None
        packed = dataset.id.read_direct_chunk(chunk.chunk_offset)[1]
        most = size + CHECKSUM_BYTES
        return len(zlib.decompressobj().decompress(packed, most + 1)) > most or None

    if dataset.id.chunk_iter(is_bomb):
        problems.append(f"has a chunk that unpacks to more than its {size} bytes; write it again")
