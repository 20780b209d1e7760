"""The fuzzed readers of feature files: NPZ, NPY and HDF5."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np

from tal_search.data.features import hdf5, npy, npz
from tal_search.data.features.stored import VideoFile
from tests.fuzz.reader import VIDEOS, Reader
from tests.support.make_dataset import change, make_dataset


def _npz_seeds(folder: Path) -> list[bytes]:
    paths = [make_dataset(folder) / "val" / f"{video}.npz" for video in VIDEOS]
    change(paths[1], fps="10.0", duration=b"41", stride=["4"], feat_spa=np.ones((4, 41), "f2"))
    whole = [path.read_bytes() for path in paths]
    return whole + [_unzipped(content) for content in whole]


def _unzipped(content: bytes) -> bytes:
    """Name, size and bytes of each member, so that mutations reach the compressed content."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return b"".join(
            struct.pack("<BI", npz.MEMBERS.index(Path(name).stem), len(archive.read(name))) + archive.read(name)
            for name in archive.namelist()
        )


def _zipped(data: bytes) -> bytes:
    """An archive of whatever `_unzipped` would give back as `data`."""
    stream, place = io.BytesIO(), 0
    with zipfile.ZipFile(stream, "w") as archive:
        written: set[int] = set()
        while place + 5 <= len(data):
            index, size = struct.unpack_from("<BI", data, place)
            place, index = place + 5, index % len(npz.MEMBERS)
            if index not in written:
                archive.writestr(f"{npz.MEMBERS[index]}.npy", data[place : place + size])
            written.add(index)
            place += size
    return stream.getvalue()


def _read_npz(folder: Path, data: bytes) -> None:
    path = folder / f"{VIDEOS[0]}.npz"
    path.write_bytes(data if data.startswith(b"PK") else _zipped(data))
    npz.content_of(path)
    npz.has_clicks(path)
    npz.read_shape(path)
    _require_sound(npz.read_video(path))


def _npy_seeds(folder: Path) -> list[bytes]:
    seeds = []
    for dtype in ("<f2", "<f4", ">f8", "<i4"):
        for order in ("C", "F"):
            stream = io.BytesIO()
            np.save(stream, np.ones((5, 4), dtype, order=order))
            seeds.append(stream.getvalue())
    return seeds


def _read_npy(folder: Path, data: bytes) -> None:
    path = folder / f"{VIDEOS[0]}.npy"
    path.write_bytes(data)
    npy.read_shape(path)
    _require_sound(npy.read_video(path))


def _hdf5_seeds(folder: Path) -> list[bytes]:
    seeds = []
    array = np.arange(40, dtype="f4").reshape(10, 4)
    for settings in ({}, {"compression": "gzip", "shuffle": True}, {"compression": "lzf"}, {"maxshape": (None, 4)}):
        path = folder / "features.h5"
        with h5py.File(path, "w", libver="latest" if settings else "earliest") as file:
            file.create_dataset(VIDEOS[0], data=array, **settings)
            file.create_dataset(VIDEOS[1], data=array.astype("f2"), **settings)
            file.attrs["stride"] = np.bytes_(b"16")
            file[VIDEOS[0]].attrs.update({"fps": "29.97", "duration": [41.0], "frame_num": 410, "offset": "0"})
        seeds.append(path.read_bytes())
    return seeds


def _read_hdf5(folder: Path, data: bytes) -> None:
    path = folder / "features.h5"
    path.write_bytes(data)
    for video in hdf5.videos_of(path).values():
        hdf5.read_shape(video)
        _require_sound(hdf5.read_video(video))


def _require_sound(video: VideoFile) -> None:
    assert video.features.dtype == np.float32
    assert video.features.ndim == 2
    assert np.isfinite(video.features).all()
    assert video.background_clicks is None or len(video.background_clicks) == video.features.shape[1]
    for value in (video.fps, video.duration, video.frames, video.stride):
        assert value is None or 0 < value < float("inf")


FEATURE_READERS = {
    "npz": Reader(_npz_seeds, _read_npz, ("PK\3\4", "PK\1\2", "PK\5\6", "descr", "'<f8'", "'|O'", "'<U9'", "shape")),
    "npy": Reader(_npy_seeds, _read_npy, ("NUMPY", "descr", "fortran_order", "shape", "'|O'", "'<f2'", "True")),
    "hdf5": Reader(
        _hdf5_seeds, _read_hdf5, ("HDF", "OHDR", "FRHP", "TREE", "SNOD", "HEAP", "fps", "duration", *VIDEOS)
    ),
}
