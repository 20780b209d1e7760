"""One BackTAL npz file: its content, and the files that are refused."""

from __future__ import annotations

import bz2
import contextlib
import lzma
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.features.npz import read_shape, read_video
from tal_search.errors import InputError
from tests.support.make_dataset import change, make_dataset
from tests.support.paths import FIXTURES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make_dataset(tmp_path) / "val" / "video_val_0001.npz"


def problems_of(path: Path, channels: int | None = 8) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        read_video(path, channels)
    assert all(problem.startswith(f"{path}: ") and "\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def test_reads_what_the_file_holds(file: Path) -> None:
    video = read_video(file, 8)
    with np.load(file) as stored:
        np.testing.assert_array_equal(video.features[:4], stored["feat_spa"].astype(np.float32))
        np.testing.assert_array_equal(video.features[4:], stored["feat_tem"].astype(np.float32))
    assert video.features.dtype == np.float32
    assert video.labels.tolist() == [0, 1, 0]
    assert video.background_clicks is not None
    assert np.flatnonzero(video.background_clicks).tolist() == [1, 15, 34]
    assert (video.frames, video.fps, video.duration) == (410, 10, 41)
    assert read_shape(file).channels == 8


def test_numbers_and_clicks_may_be_absent(file: Path) -> None:
    change(file, frame_num=None, fps=None, duration=None, point_label=None, vid_name=None)
    video = read_video(file, 8)
    assert (video.frames, video.fps, video.duration, video.background_clicks) == (None, None, None, None)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_float_type_becomes_float32(file: Path, dtype: Any) -> None:
    change(file, feat_spa=np.full((4, 40), 0.5, dtype), feat_tem=np.full((4, 40), 0.25, dtype))
    assert set(np.unique(read_video(file, 8).features)) == {0.25, 0.5}


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_truncated_file(file: Path, kept: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    (problem,) = problems_of(file)
    assert "is truncated or not an npz file" in problem
    assert "fetch or extract it again" in problem


def test_flipped_bytes_inside_an_array(file: Path) -> None:
    content = bytearray(file.read_bytes())
    middle = content.index(b"feat_spa.npy") + 200
    content[middle : middle + 8] = bytes(byte ^ 0xFF for byte in content[middle : middle + 8])
    file.write_bytes(content)
    assert "is truncated or not an npz file" in problems_of(file)[0]


class Payload:
    """What an attacker would pickle."""

    loaded = False

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return setattr, (Payload, "loaded", True)


def test_pickled_array_is_named_and_never_loaded(file: Path) -> None:
    change(file, feat_tem=np.array([[Payload()]], dtype=object))
    (problem,) = problems_of(file)
    assert "feat_tem is pickled" in problem
    assert not Payload.loaded


def test_wrong_channel_count_says_expected_and_got(file: Path) -> None:
    (problem,) = problems_of(file, 2048)
    assert "expected 2048 feature channels" in problem
    assert "got 8" in problem
    assert read_video(file).features.shape == (8, 40)


def test_missing_arrays(file: Path) -> None:
    change(file, feat_spa=None, cls_label=None)
    assert "has no feat_spa, cls_label" in problems_of(file)[0]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"feat_spa": np.full((4, 40), np.nan, np.float32)}, "feat_spa has 160 values that are not finite"),
        ({"feat_tem": np.full((4, 40), 1e300)}, "feat_tem has 160 values that are not finite"),
        ({"feat_spa": np.zeros((4, 38), np.float32)}, "feat_spa has 38 snippets and feat_tem 40"),
        ({"feat_spa": np.zeros((4, 42), np.float32)}, "feat_spa has 42 snippets and feat_tem 40"),
        ({"fps": "fast"}, "fps is fast; give one number above 0, at most 1000"),
        ({"fps": "30,0"}, "fps is 30,0"),
        ({"duration": np.array(["40", "41"])}, "duration is ['40', '41']"),
        ({"duration": "-41"}, "duration is -41"),
        ({"frame_num": "nan"}, "frame_num is nan"),
        ({"fps": True}, "fps is True"),
        ({"fps": 25 + 1j}, "fps is (25+1j)"),
        ({"stride": "0"}, "stride is 0"),
        ({"feat_spa": np.zeros((4, 40), np.int64)}, "feat_spa is int64"),
        ({"feat_spa": np.zeros(160, np.float32)}, "of shape (160,); expected floats [channels, snippets]"),
        ({"feat_spa": np.zeros((4, 0), np.float32)}, "of shape (4, 0)"),
        ({"point_label": np.full(39, -100)}, "point_label has shape (39,); expected (40,)"),
        ({"point_label": np.full(40, 4)}, "point_label holds 4; give 3 at a background click"),
        ({"cls_label": np.zeros((3, 1))}, "cls_label has shape (3, 1)"),
        ({"cls_label": np.array([0, -1, 0])}, "cls_label holds -1"),
        ({"cls_label": np.array(["a", "b"])}, "cls_label is <U1; expected numbers"),
        ({"cls_label": np.array([0, np.inf, 0])}, "cls_label has 1 values that are not finite"),
        ({"duration": np.nan}, "duration has 1 values that are not finite"),
        ({"duration": -3.0}, "duration is -3.0"),
        ({"frame_num": 10**12}, "frame_num is 1000000000000; give one number above 0, at most 1e+07"),
        ({"fps": np.array([1, 2])}, "fps is [1, 2]"),
        ({"vid_name": "another"}, "vid_name is 'another'"),
    ],
)
def test_content_that_is_refused(file: Path, arrays: dict[str, Any], said: str) -> None:
    change(file, **arrays)
    problems = problems_of(file)
    assert any(said in problem for problem in problems), problems


def test_every_problem_in_one_pass(file: Path) -> None:
    change(file, feat_spa=np.zeros((3, 40), np.float32), point_label=np.zeros(7), cls_label=np.zeros((1, 3)))
    assert len(problems_of(file)) == 3


def npz_with(path: Path, name: str, header: bytes, body: bytes) -> None:
    """Replace one array of an npz file by raw bytes."""
    with zipfile.ZipFile(path) as archive:
        rest = {info.filename: archive.read(info) for info in archive.infolist() if info.filename != f"{name}.npy"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in rest.items():
            archive.writestr(member, content)
        archive.writestr(f"{name}.npy", header + body)


def npy_header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_header_that_claims_more_than_the_file_holds(file: Path) -> None:
    npz_with(file, "feat_spa", npy_header("(4, 400000000000)"), b"\0" * 640)
    assert "claims shape (4, 400000000000) of float32 but holds 640 bytes" in problems_of(file)[0]


@pytest.mark.parametrize("shape", ["(-4, -40)", "'x'", "(4, 40", "__import__('os')"])
def test_header_that_is_nonsense(file: Path, shape: str) -> None:
    npz_with(file, "feat_spa", npy_header(shape), b"\0" * 640)
    assert problems_of(file)


def test_zip_bomb_is_refused_before_it_is_unpacked(file: Path) -> None:
    npz_with(file, "feat_spa", npy_header("(4, 6000000)"), b"\0" * 96_000_000)
    assert file.stat().st_size < 200_000
    tracemalloc.start()
    (problem,) = problems_of(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "too many for features" in problem
    assert peak < 2_000_000


def test_two_megabytes_that_unpack_to_two_gigabytes_are_refused(file: Path) -> None:
    """Whether the archive states the unpacked size or not, and for methods that unpack without a limit."""
    header, zeros, blocks = npy_header("(4, 134217728)"), bytes(1 << 26), 32
    packer = zlib.compressobj(wbits=-15)
    first = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)  # may be repeated
    deflated = first + block * blocks + packer.flush()
    change(file, feat_spa=None)
    whole = file.read_bytes()
    for size, packed, method in (
        (len(header) + blocks * len(zeros), deflated, zipfile.ZIP_DEFLATED),
        (len(header) + 640, deflated, zipfile.ZIP_DEFLATED),
        (len(header) + 640, bz2.compress(zeros[: 1 << 22]), zipfile.ZIP_BZIP2),
        (len(header) + 640, lzma.compress(zeros[: 1 << 22]), zipfile.ZIP_LZMA),
    ):
        file.write_bytes(whole)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("feat_spa.npy", packed)
            info = archive.getinfo("feat_spa.npy")
            info.compress_type, info.file_size = method, size  # what the archive's directory will say
        assert file.stat().st_size < 2_200_000
        tracemalloc.start()
        assert len(problems_of(file)) == 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000_000


def test_an_array_beside_the_streams_is_no_larger_than_snippets_can_make_it(file: Path) -> None:
    change(file, vid_name=np.zeros(300_000))
    (problem,) = problems_of(file)
    assert "vid_name unpacks from" in problem


def test_other_members_are_not_read(file: Path) -> None:
    npz_with(file, "notes", b"", b"no array at all")
    assert read_video(file, 8).features.shape == (8, 40)


def test_truncation_anywhere_never_gives_another_error(file: Path) -> None:
    content = file.read_bytes()
    for end in range(0, len(content), 97):
        file.write_bytes(content[:end])
        assert problems_of(file)


def test_random_damage_is_an_input_error_or_harmless(file: Path) -> None:
    content, generator = file.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content)
        for position in generator.integers(len(content), size=3):
            damaged[position] = generator.integers(256)
        file.write_bytes(damaged)
        with contextlib.suppress(InputError):  # any other error fails
            read_video(file, 8)


def test_real_files() -> None:
    paths = sorted((FIXTURES / "thumos14_evidence" / "test").glob("*.npz"))
    assert len(paths) == 12
    for path in paths:
        video = read_video(path, 48)
        assert video.features.shape == (48, 750)
        assert video.background_clicks is None
