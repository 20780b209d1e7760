"""One BackTAL npz file: numbers as text, and streams of two lengths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.features.npz import read_shape, read_video
from tests.support.make_dataset import change, make_dataset


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make_dataset(tmp_path) / "val" / "video_val_0001.npz"


@pytest.mark.parametrize("kind", [str, np.bytes_, lambda text: [text], lambda text: [[f" {text} "]]])
def test_numbers_may_be_text_or_an_array_of_one(file: Path, kind: Callable[[str], Any]) -> None:
    stated = {"frame_num": "410", "fps": "1e1", "duration": "41.0", "stride": "4", "offset": "0"}
    change(file, **{name: kind(text) for name, text in stated.items()})
    video = read_video(file, 8)
    assert (video.frames, video.fps, video.duration, video.stride, video.offset) == (410, 10, 41, 4, 0)


@pytest.mark.parametrize("longer", ["feat_spa", "feat_tem"])
def test_a_stream_that_is_one_snippet_longer_is_cut(file: Path, longer: str) -> None:
    with np.load(file) as stored:
        array, clicks = stored[longer], stored["point_label"]
    change(file, **{longer: np.concatenate([array, array[:, -1:] + 1], 1)})
    for points in (clicks, np.append(clicks, 3)):  # a click at the snippet that is cut goes to the one before
        change(file, point_label=points)
        video = read_video(file, 8)
        assert (video.features.shape, video.cut, len(video.background_clicks)) == ((8, 40), True, 40)
        assert np.flatnonzero(video.background_clicks).tolist() == [1, 15, 34, 39][: 3 + (len(points) > 40)]
    np.testing.assert_array_equal(video.features[4 * (longer == "feat_tem") :][:4], array.astype(np.float32))
    assert read_shape(file) == (8, 40, 4)
