"""One video's features in BackTAL's npz layout, read without trusting the file.

feat_spa, feat_tem: any float dtype [D/2, T0] (RGB and flow; of two lengths that differ by one, the shorter decides);
cls_label [C]; vid_name; point_label [T0] of a training video (C = background click, −100 = none); frame_num, fps,
duration (seconds) where known, also as text. Nothing is unpickled, and the size a member claims is checked against its
header and a limit before any memory is allocated.

Shapes: D channels, T0 stored snippets, T snippets after rescaling, C classes.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tal_search.data.features.resampling import resample
from tal_search.data.features.stored import MOST, StoredShape, VideoFile, common_length, stated_numbers, video_of
from tal_search.errors import InputError, Problems
from tal_search.files.untrusted import MOST_BYTES, Header, as_float32, is_squeezed, read_header, require_finite

STREAMS = ("feat_spa", "feat_tem")
MEMBERS = (*STREAMS, "cls_label", "vid_name", "point_label", *MOST)
REQUIRED = (*STREAMS, "cls_label")
MOST_OTHER_BYTES = 1 << 20  # of any other array: a number for each of the snippets that a stream may have
UNLABELLED = -100
UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError)


def read_video(path: Path, channels: int | None = None) -> VideoFile:
    """The whole file, checked. `channels`: D expected, None for any.

    Raises InputError with every problem: not a whole npz file, missing or pickled arrays, sizes that do not fit,
    D not as expected, values that are not finite, click labels outside 0..C.
    """
    problems = Problems(path)
    with _opened(path) as archive:
        headers = _checked_headers(archive, problems)
        _check_shapes(headers, channels, problems)
        problems.raise_if_any()
        arrays = {name: _read(archive, name, problems) for name in headers}
    problems.raise_if_any()
    video = _build(arrays, path.stem, problems)
    problems.raise_if_any()
    return video


def read_shape(path: Path) -> StoredShape:
    """The shape, from the headers alone. Raises InputError where the file is not a whole npz file with both streams."""
    problems = Problems(path)
    with _opened(path) as archive:
        headers = _checked_headers(archive, problems, STREAMS)
        _check_streams(headers, problems)
    problems.raise_if_any()
    channels, snippets = zip(*(headers[name].shape for name in STREAMS), strict=True)
    return StoredShape(sum(channels), min(snippets), channels[0])


def has_clicks(path: Path) -> bool:
    """Whether the file has a point_label. Raises InputError where it is not a whole npz file."""
    with _opened(path) as archive:
        return "point_label.npy" in archive.namelist()


def content_of(path: Path) -> list[tuple[str, int, int]]:
    """Name, CRC-32 and size of each array, from the archive's directory. Raises InputError as `has_clicks`."""
    with _opened(path) as archive:
        return sorted((info.filename, info.CRC, info.file_size) for info in archive.infolist())


def rescale(features: NDArray[np.float32], snippets: int) -> NDArray[np.float32]:
    """[D, T0] to float32 [D, T] by linear interpolation, half-pixel centres, edges held; unchanged where T0 = T."""
    stored = features.shape[1]
    if stored == snippets:
        return features
    return resample(features.astype(np.float32, copy=False), snippets)


def rescale_clicks(clicks: NDArray[np.bool_], snippets: int) -> NDArray[np.bool_]:
    """Clicks [T0] to [T]: each goes to the snippet that contains the middle of its old one."""
    rescaled = np.zeros(snippets, np.bool_)
    rescaled[((np.flatnonzero(clicks) + 0.5) * snippets / len(clicks)).astype(np.int64)] = True
    return rescaled


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The open archive. Raises InputError, with one sentence, however it fails to be a whole npz file."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UNREADABLE as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error).split("\n")[0] or type(error).__name__
        raise InputError(f"{path}: is truncated or not an npz file ({reason}); fetch or extract it again") from None


def _checked_headers(
    archive: zipfile.ZipFile, problems: Problems, wanted: tuple[str, ...] = MEMBERS
) -> dict[str, Header]:
    """Headers of the wanted arrays that are present and safe to read; a problem for each that is not."""
    present = set(archive.namelist())
    missing = [name for name in REQUIRED if name in wanted and f"{name}.npy" not in present]
    if missing:
        problems.add(f"has no {', '.join(missing)}; a BackTAL npz file has {', '.join(REQUIRED)}")
    headers = {}
    for name in wanted:
        if f"{name}.npy" in present:
            header = _header(archive, name, problems)
            if header is not None:
                headers[name] = header
    return headers


def _header(archive: zipfile.ZipFile, name: str, problems: Problems) -> Header | None:
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # other methods unpack without a limit
        problems.add(f"{name} is packed by zip's method {info.compress_type}; save it with numpy.savez_compressed")
        return None
    most = MOST_BYTES if name in STREAMS else MOST_OTHER_BYTES
    if info.file_size > most or is_squeezed(info.compress_size, info.file_size):
        seen = f"unpacks from {info.compress_size} to {info.file_size} bytes"
        problems.add(f"{name} {seen}, too many for features; extract it again")
        return None
    with archive.open(info) as stream:
        return read_header(stream, name, info.file_size, problems)


def _check_streams(headers: dict[str, Header], problems: Problems) -> None:
    """Require floats [channels, snippets] whose lengths differ by one snippet at most."""
    streams = {name: headers[name] for name in STREAMS if name in headers}
    for name, header in streams.items():
        if len(header.shape) != 2 or 0 in header.shape or header.dtype.kind != "f":
            seen = f"{name} is {header.dtype} of shape {header.shape}"
            problems.add(f"{seen}; expected floats [channels, snippets]")
            return
    lengths = [header.shape[1] for header in streams.values()]
    if len(lengths) == len(STREAMS) and common_length(lengths) is None:
        problems.add(f"feat_spa has {lengths[0]} snippets and feat_tem {lengths[1]}; extract it again")


def _check_shapes(headers: dict[str, Header], channels: int | None, problems: Problems) -> None:
    """Require streams that agree and have D = channels, a point_label of as many snippets, a vector cls_label."""
    _check_streams(headers, problems)
    if problems or not headers.keys() >= set(STREAMS):
        return
    shapes = [headers[name].shape for name in STREAMS]
    got = sum(shape[0] for shape in shapes)
    if channels is not None and got != channels:
        problems.add(f"expected {channels} feature channels (feat_spa and feat_tem together), got {got}")
    lengths = {"cls_label": None, "point_label": {shape[1] for shape in shapes}}
    for name, allowed in lengths.items():
        if name in headers and (
            len(headers[name].shape) != 1 or headers[name].shape[0] not in (allowed or headers[name].shape)
        ):
            expected = "classes" if allowed is None else " or ".join(map(str, sorted(allowed)))
            problems.add(f"{name} has shape {headers[name].shape}; expected ({expected},)")
    for name in ("cls_label", "point_label"):
        if name in headers and headers[name].dtype.kind not in "fiub":
            problems.add(f"{name} is {headers[name].dtype}; expected numbers")


def _read(archive: zipfile.ZipFile, name: str, problems: Problems) -> np.ndarray:
    with archive.open(f"{name}.npy") as stream:
        array: np.ndarray = npy.read_array(stream, allow_pickle=False)
    if name in STREAMS:
        array = as_float32(array)
    require_finite(array, name, problems)
    return array


def _build(arrays: dict[str, np.ndarray], stem: str, problems: Problems) -> VideoFile:
    labels = arrays["cls_label"]
    if (labels < 0).any():
        problems.add(f"cls_label holds {labels.min():g}; give 1 where a class is present and 0 elsewhere")
    name = arrays.get("vid_name")
    if (
        name is not None
        and name.dtype.kind == "U"
        and name.size == 1
        and name.item() not in (stem, stem.removeprefix("v_"))
    ):
        problems.add(f"vid_name is '{name.item()[:80]}'; a file is named after its video, rename one of them")
    clicks, classes = arrays.get("point_label"), len(labels)
    if clicks is not None:
        odd = clicks[(clicks != UNLABELLED) & ((clicks < 0) | (clicks > classes))]
        if len(odd):
            problems.add(f"point_label holds {odd[0]:g}; give {classes} at a background click and -100 elsewhere")
    streams = [arrays[name] for name in STREAMS]
    shortest = min(stream.shape[1] for stream in streams)
    numbers = stated_numbers({key: arrays[key] for key in MOST if key in arrays}, problems)
    cut = any(stream.shape[1] > shortest for stream in streams)
    return replace(
        video_of(np.concatenate([stream[:, :shortest] for stream in streams]), numbers, cut=cut),
        labels=(labels > 0).astype(np.float32),
        background_clicks=None if clicks is None else _of_length(clicks == classes, shortest),
    )


def _of_length(clicks: NDArray[np.bool_], snippets: int) -> NDArray[np.bool_]:
    """Clicks without a last snippet that the features lack; its click goes to the snippet before."""
    kept = clicks[:snippets].copy()
    kept[-1] |= clicks[snippets:].any()
    return kept
