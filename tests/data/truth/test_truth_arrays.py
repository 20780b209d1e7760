"""A ground truth as arrays: everything comes back as it was written, and a damaged file is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.truth.truth_arrays import load_truth, save_truth
from tal_search.errors import InputError
from tal_search.types import Annotations

NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, unique=True)
SECONDS = st.floats(0, 1e9, allow_subnormal=True)


@st.composite
def truths(draw: st.DrawFn) -> Annotations:
    videos, classes = tuple(draw(NAMES)), tuple(draw(NAMES))

    def instances(labels: int) -> dict[str, np.ndarray]:
        rows = draw(st.lists(st.tuples(st.integers(0, len(videos) - 1), st.integers(0, labels - 1), SECONDS, SECONDS)))
        table = np.array(rows, np.float64).reshape(-1, 4)
        return {"video": table[:, 0].astype(np.int64), "label": table[:, 1].astype(np.int64), "segment": table[:, 2:]}

    duration = np.array([draw(SECONDS | st.just(np.nan)) for _ in videos])
    unclear = None
    if draw(st.booleans()):
        unclear = Annotations(videos=videos, classes=("Ambiguous",), duration=duration, **instances(1))
    return Annotations(videos=videos, classes=classes, duration=duration, ambiguous=unclear, **instances(len(classes)))


def same(one: Annotations, other: Annotations) -> None:
    assert (one.videos, one.classes) == (other.videos, other.classes)
    for name in ("video", "label", "segment", "duration"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.ambiguous is None) == (other.ambiguous is None)
    if one.ambiguous is not None and other.ambiguous is not None:
        same(one.ambiguous, other.ambiguous)


@given(truths())
def test_a_ground_truth_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, truth: Annotations) -> None:
    stream = io.BytesIO()
    save_truth(truth, stream)
    path = tmp_path_factory.getbasetemp() / "truth.npz"
    path.write_bytes(stream.getvalue())
    same(load_truth(path), truth)


def test_a_file_that_is_no_ground_truth_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", videos=np.array(["a"]))
    np.savez(tmp_path / "objects.npz", videos=np.array([{}], dtype=object))
    for name in ("text.npz", "other.npz", "objects.npz", "missing.npz"):
        with pytest.raises(InputError, match=f"{name}: cannot be read as a ground truth"):
            load_truth(tmp_path / name)
