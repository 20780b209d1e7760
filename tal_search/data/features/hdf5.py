"""Features in one HDF5 file with a dataset [T0, D] a video, read without trusting the file.

A video's path is FILE.h5/VIDEO. Soft and external links, data kept in other files and datasets that claim more than
the file holds are refused before any memory is allocated.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.data.features.npy import check_shape
from tal_search.data.features.stored import MOST, StoredShape, VideoFile, stated_numbers, video_of
from tal_search.errors import InputError, MissingExtra, Problems
from tal_search.files.untrusted import BOMB_BYTES, MOST_BYTES, Header, as_float32, is_squeezed, require_finite

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".hdf5")
LZF_RATIO = 88  # bytes that LZF can unpack from one byte; gzip chunks are unpacked here instead (1032 from one)
CHECKSUM_BYTES = 4
MOST_ATTRIBUTE = 1000  # bytes of a number, also written as text
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zlib.error)


def videos_of(file: Path) -> dict[str, Path]:
    """Video → path, sorted by name. Raises InputError where the file is no HDF5 file."""
    with _opened(file) as content:
        return {name: file / name for name in sorted(content)}


def read_shape(path: Path) -> StoredShape:
    """The shape, without reading the features. Raises InputError as `read_video`."""
    with _opened(path.parent) as content:
        snippets, channels = map(int, _dataset(content, path).shape)
    return StoredShape(channels, snippets, channels)


def read_video(path: Path, channels: int | None = None) -> VideoFile:
    """The features of one video, and the numbers in its attributes or else in the file's. channels: D, None for any.

    Raises InputError: not a whole HDF5 file, links, groups, data kept elsewhere, not floats of two axes, D not as
    expected, values that are not finite, attributes that are no numbers.
    """
    problems = Problems(path)
    with _opened(path.parent) as content:
        dataset = _dataset(content, path)
        if channels is not None and dataset.shape[1] != channels:
            raise InputError(f"{path}: expected {channels} feature channels, got {dataset.shape[1]}")
        features_TD = as_float32(dataset[()])
        stated = {**_attributes(content), **_attributes(dataset)}
    require_finite(features_TD, "the dataset", problems)
    numbers = stated_numbers(stated, problems)
    problems.raise_if_any()
    return video_of(features_TD.T, numbers)


def _attributes(node: h5py.File | h5py.Dataset) -> dict[str, object]:
    """The attributes that state numbers; all else but one small value is described, not read."""
    import h5py

    stated: dict[str, object] = {}
    for name in (name for name in MOST if name in node.attrs):
        attribute = node.attrs.get_id(name)
        single = attribute.shape is not None and math.prod(attribute.shape) == 1
        small = attribute.dtype.itemsize <= MOST_ATTRIBUTE
        value = node.attrs[name] if single and small else f"{attribute.dtype} of shape {attribute.shape}"
        stated[name] = "a reference" if isinstance(value, h5py.Reference) else value
    return stated


@contextmanager
def _opened(file: Path) -> Iterator[h5py.File]:
    """The open file. Raises InputError, with one sentence, however it fails to be a whole HDF5 file."""
    try:
        import h5py
    except ImportError:
        raise MissingExtra("h5py", "hdf5") from None
    try:
        with h5py.File(file, "r", locking=False) as content:
            yield content
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: is damaged or not an HDF5 file ({reason}); fetch or write it again") from None


def _dataset(content: h5py.File, path: Path) -> h5py.Dataset:
    """The dataset of a video, its claims checked before any of it is read."""
    import h5py

    link = content.get(path.name, getlink=True)
    if link is None:
        raise InputError(f"{path}: is no longer in the file; write it again")
    if not isinstance(link, h5py.HardLink):
        raise InputError(f"{path}: is a link, which is never followed; write the features themselves into the file")
    dataset = content[path.name]
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"{path}: is not a dataset; write one dataset [snippets, channels] a video, without groups")
    if dataset.external or dataset.is_virtual:
        raise InputError(f"{path}: keeps its data in another file, which is never opened; write it into this one")
    problems = Problems(path)
    if dataset.shape is None:
        raise InputError(f"{path}: is empty; write floats [snippets, channels]")
    check_shape(Header(dataset.shape, dataset.dtype), problems)
    stored, held = dataset.id.get_storage_size(), path.parent.stat().st_size
    if stored > held:
        problems.add(f"claims {stored} bytes of a file of {held}; write it again")
    elif dataset.nbytes > 2 * MOST_BYTES or is_squeezed(stored, dataset.nbytes):
        problems.add(f"unpacks from {stored} to {dataset.nbytes} bytes, too many for features; write it again")
    elif not stored and not problems:
        problems.add("holds no data; write it again")
    elif not problems and dataset.chunks is not None:
        _check_chunks(dataset, problems)
    problems.raise_if_any()
    return dataset


def _check_chunks(dataset: h5py.Dataset, problems: Problems) -> None:
    """Add a problem where reading may need more memory than the dataset: HDF5 unpacks a chunk without a limit.

    Each chunk is therefore unpacked here first, up to its stated size.
    """
    from h5py import h5z

    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if size > max(dataset.nbytes, BOMB_BYTES):
        problems.add(f"has chunks of {size} bytes, more than itself; write it again")
        return
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    packers = [code for code in filters if code not in (h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)]
    last = [code for code in filters if code != h5z.FILTER_FLETCHER32][-1:]
    if packers and (packers != last or packers[0] not in (h5z.FILTER_DEFLATE, h5z.FILTER_LZF)):
        problems.add("is packed by other filters than gzip or lzf, after shuffle; write it with one of them")
        return

    def is_bomb(chunk: h5py.h5d.StoreInfo) -> bool | None:
        """Whether a chunk unpacks to too much; None has `chunk_iter` go on."""
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
        problems.add(f"has a chunk that unpacks to more than its {size} bytes; write it again")
