"""Doubts about features: exchanged axes and lengths that contradict the durations, in every layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.plausibility import exchanged_axes, grouped, is_exchanged
from tal_search.data.features.stored import StoredShape
from tal_search.data.features.timing import Timing
from tal_search.data.find import check
from tests.support.make_dataset import change, edit_json, found, make_dataset, problems_of
from tests.support.make_layouts import EVENLY, write_video

SECONDS = {f"v{number}": 40.0 + 10 * number for number in range(4)}
ORDER = "[snippets, channels]"


def dataset(
    root: Path, layout: str, *, exchanged: tuple[str, ...] | None = (), rate: float = 1, odd: Any = None
) -> Path:
    """Videos of 40 to 70 s with `rate` snippets a second; `exchanged`: those stored the wrong way, None for all.

    odd: seconds by video that its features cover instead of its own.
    """
    make_dataset(root)
    durations = {}
    for path in sorted(root.glob("*/*.npz")):
        number = int(path.stem[-1])
        durations[path.stem] = 40.0 + 10 * number
        length = round((odd or {}).get(path.stem, durations[path.stem]) * rate)
        array_TD = np.random.default_rng(number).normal(0, 1, (length, 4)).astype(np.float32)
        wrong = exchanged is None or path.stem in exchanged
        streams = [array_TD.T, array_TD.T] if wrong else [array_TD, array_TD]
        if wrong and layout not in ("backtal", "basnet"):  # both streams in one array
            streams = np.array_split(np.concatenate(streams), 2, axis=1)
        if layout == "backtal":
            numbers = {"duration": durations[path.stem], "frame_num": round(10 * durations[path.stem])}
            change(path, feat_spa=streams[0].T, feat_tem=streams[1].T, point_label=None, **numbers)
        else:
            write_video(root, layout, path.parent.name, path.stem, *streams)
            path.unlink()
    edit_json(root / "gt_thumos14.json", lambda content: lasting(content, durations))
    return root


def lasting(content: dict[str, Any], durations: dict[str, float]) -> None:
    for name, entry in content["database"].items():
        entry["duration"] = durations[name]


def spec_of(root: Path, layout: str) -> DatasetSpec:
    timed = {"basnet": Timing(stride=10, offset=5, fps=10), "actionformer": Timing(stride=10, offset=5)}
    return found(root, timing=timed.get(layout, EVENLY))


LAYOUTS = ("backtal", "basnet", "actionformer", "hdf5")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_in_order_raise_no_doubt(tmp_path: Path, layout: str) -> None:
    assert check(spec_of(dataset(tmp_path, layout), layout), (), ()) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exchanged_axes_of_all_videos_are_one_problem(tmp_path: Path, layout: str) -> None:
    spec = spec_of(dataset(tmp_path, layout, exchanged=None), layout)
    (problem,) = problems_of(lambda: check(spec, (), ()))
    assert problem.startswith(f"{tmp_path}: ")
    assert "exchanged" in problem or "the same number of snippets" in problem
    assert problem.endswith(f"save the arrays as {'[channels, snippets]' if layout == 'backtal' else ORDER}")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exchanged_axes_of_one_video_are_named(tmp_path: Path, layout: str) -> None:
    spec = spec_of(dataset(tmp_path, layout, exchanged=("video_val_0001",)), layout)
    (problem,) = problems_of(lambda: check(spec, (), ()))
    assert "video_val_0001" in problem
    assert "its axes look exchanged, save it as [" in problem


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_only_video_that_contradicts_its_duration_is_named(tmp_path: Path, layout: str) -> None:
    spec = spec_of(dataset(tmp_path, layout, odd={"video_test_0002": 9.0}), layout)
    (note,) = check(spec, (), ())
    assert note.startswith("WARNING: ")
    assert "video_test_0002 has 9 snippets" in note
    assert note.endswith("extract it again or correct its duration")


def test_a_dataset_of_one_contradicting_video_a_split_is_refused(tmp_path: Path) -> None:
    root = dataset(tmp_path, "actionformer")
    for path in root.glob("*_000[1-3].npy"):
        path.unlink()
    keep = ("video_val_0000", "video_test_0000")
    edit_json(
        root / "gt_thumos14.json",
        lambda content: [
            content["database"].pop(f"video_{split}_000{number}")
            for split, count in (("val", 4), ("test", 3))
            for number in range(1, count)
        ],
    )
    edit_json(root / "gt_thumos14.json", lambda content: lasting(content, dict.fromkeys(keep, 400.0)))
    problems = problems_of(lambda: check(spec_of(root, "actionformer"), (), ()))
    assert len(problems) == 2
    assert all("1 of 1 videos, such as video_" in problem for problem in problems)


def test_numbers_in_files_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    root = dataset(tmp_path, "backtal")
    change(root / "val" / "video_val_0001.npz", duration="25.0", frame_num="250")
    change(root / "val" / "video_val_0003.npz", frame_num=7000)
    notes = [note for note in check(found(root), (), ()) if note.startswith("WARNING")]
    assert [note.partition(": ")[2].partition(": ")[2] for note in notes] == [
        "video_val_0001 lasts 25 s in its file and 50 s in the ground truth; that of its file is used; correct one of "
        "them",
        "video_val_0003 has 7000 frames at 10 a second and lasts 70 s; correct one of them",
        "video_val_0001 has 50 snippets in 25 s, which would be 25 at the rate of the others; extract it again or "
        "correct its duration",
    ]
    for number in range(4):
        change(root / "val" / f"video_val_{number:04d}.npz", duration=500.0, frame_num=5000)
    (problem,) = problems_of(lambda: check(found(root), (), ()))
    assert "4 of 4 videos, such as video_val_0000 lasts 500 s in its file and 40 s in the ground truth" in problem


def test_a_stated_stride_that_is_not_used_is_said(tmp_path: Path) -> None:
    root = dataset(tmp_path, "backtal")
    for number in range(4):
        change(root / "val" / f"video_val_{number:04d}.npz", stride="16")
    note = "".join(check(found(root), (), ()))
    assert "video_val_0000 states stride 16, and none is used (also 3 more: video_val_0001, video_val_0002" in note


def shapes(snippets: dict[str, int], across: dict[str, int]) -> dict[str, StoredShape]:
    return {name: StoredShape(across[name], snippets[name], across[name]) for name in snippets}


@pytest.mark.parametrize(
    ("snippets", "channels", "doubted"),
    [
        (400, 100, True),
        (2048, 100, True),
        (64, 100, True),
        (100, 2048, False),
        (100, 400, False),
        (750, 1024, False),
        (750, 24, False),
    ],
)
def test_videos_of_one_length_are_doubted_where_it_may_be_the_width_of_a_network(
    snippets: int, channels: int, doubted: bool
) -> None:
    stored = shapes(dict.fromkeys(SECONDS, snippets), dict.fromkeys(SECONDS, channels))
    problem, note = exchanged_axes(stored, SECONDS, {}, ORDER, 750)
    assert problem == ""
    assert (f"of 40 to 70 s, has {snippets} snippets of {channels} channels; if these" in note) == doubted
    assert exchanged_axes(stored, dict.fromkeys(SECONDS, 40.0), {}, ORDER, 750) == ("", ""), "all last as long"
    assert exchanged_axes({}, {}, {}, ORDER, 750) == ("", "")


def test_one_odd_width_is_not_taken_for_exchanged_axes() -> None:
    widths = dict.fromkeys(SECONDS, 8) | {"v1": 10}
    assert exchanged_axes(shapes(dict.fromkeys(SECONDS, 40), widths), SECONDS, {}, ORDER, 750) == ("", "")
    many = {f"v{number}": 400 for number in range(1000)}
    lengths = {name: 60 + number % 90 for number, name in enumerate(many)}
    problem, _ = exchanged_axes(shapes(many, lengths), dict.fromkeys(many, 9.0), {}, ORDER, 750)
    assert problem.startswith("all 1000 videos have the same number of snippets, and channels that differ")
    two = shapes({"a": 64, "b": 64}, {"a": 40, "b": 50})
    assert "all 2 videos have the same number" in exchanged_axes(two, {}, {}, ORDER, 750)[0]
    assert not is_exchanged(StoredShape(10, 40, 10), 8)
    assert not is_exchanged(StoredShape(8, 8, 8), 8)
    assert is_exchanged(StoredShape(40, 8, 40), 8)
    assert is_exchanged(StoredShape(80, 4, 40), 8), "two streams of 4 channels"


def test_sentences_that_differ_in_files_and_numbers_become_one() -> None:
    found_bad = [(Path(f"a/v{number}.npz"), f"a/v{number}.npz: has {number} values; fix") for number in range(9)]
    assert grouped(found_bad[:2]) == ["a/v0.npz: has 0 values; fix", "a/v1.npz: has 1 values; fix"]
    other = (Path("a/w.npz"), "a/w.npz: is empty; fix")
    assert grouped([*found_bad, other]) == [
        "a/v0.npz: has 0 values; fix (also 8 other files: v1.npz, v2.npz, v3.npz, v4.npz, v5.npz and 3 more)",
        "a/w.npz: is empty; fix",
    ]
