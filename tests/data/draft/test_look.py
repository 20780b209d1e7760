"""What a look sees: names, timing that was given or stated, and steps of stored snippets."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from tal_search.data.draft.look import Asked, look, truth_name
from tal_search.data.features.timing import Timing
from tal_search.errors import InputError
from tests.support.make_dataset import edit_json, make_dataset
from tests.support.make_layouts import make_layout
from tests.support.own_dataset import make_own


def test_the_name_is_that_of_the_ground_truth_else_of_the_folder(tmp_path: Path) -> None:
    root = make_own(tmp_path / "folder")
    assert look(root, Asked()).name == "moves"
    (root / "gt_moves.json").rename(root / "my_groundtruth.json")
    assert look(root, Asked()).name == "folder"
    assert look(root, Asked(name="third")).name == "third"
    assert truth_name(Path("gt_.json")) is None


def test_timing_that_is_given_is_not_inferred(tmp_path: Path) -> None:
    root = make_own(tmp_path / "moves")
    seen = look(root, Asked(timing=Timing(stride=8, offset=4)))
    assert (seen.fit, seen.given) == (None, Timing(stride=8, offset=4))
    with pytest.raises(InputError, match=r"give dataset\.stride"):
        look(root, Asked(timing=Timing(stride=80, offset=4)))
    only = look(root, Asked(timing=Timing(stride=8)))
    assert only.fit is not None
    assert only.fit.timing == Timing(stride=8, offset=16, fps=30)


def test_the_step_is_the_time_between_stored_snippets(tmp_path: Path) -> None:
    own = look(make_own(tmp_path / "moves"), Asked())
    assert own.step is not None
    assert own.step.tolist() == [8 / 30] * len(own.train.videos)
    evenly = look(make_dataset(tmp_path / "npz"), Asked())
    assert evenly.step is not None
    assert evenly.step.tolist() == [(40 + number) / 40 for number in range(4)]
    assert (evenly.folders, evenly.channels, evenly.fit) == (("val", "test"), 8, None)


def test_hdf5_files_may_state_their_timing(tmp_path: Path) -> None:
    root = make_layout(make_dataset(tmp_path / "npz"), "hdf5", tmp_path / "hdf5")
    with h5py.File(root / "features.h5", "a") as file:
        file.attrs.update(stride=10, offset=5)
    seen = look(root, Asked())
    assert seen.fit is not None
    assert seen.fit.timing == Timing(stride=10, offset=5, fps=10)


def test_clicks_are_counted_against_the_gaps(tmp_path: Path) -> None:
    seen = look(make_dataset(tmp_path / "npz"), Asked())
    counts = {survey.annotator: (survey.clicks, found.missed, found.spans) for survey, found in seen.clicks if found}
    assert counts == {"A1": (12, 0, 12), "A2": (4, 8, 12)}


def test_annotations_alone_and_their_problems(tmp_path: Path) -> None:
    root = make_own(tmp_path / "moves")
    for path in root.glob("*.npy"):
        path.unlink()
    (root / "clicks_background_A1.json").write_text('{"take0_subj0": [1, 999]}')
    with pytest.raises(InputError, match="frame 999"):
        look(root, Asked())
    (root / "clicks_background_A1.json").write_text('{"take0_subj0": [1]}')
    seen = look(root, Asked())
    assert (seen.layout, seen.step, len(seen.clicks)) == (None, None, 1)
    edit_json(root / "gt_moves.json", lambda content: [video.pop("duration") for video in content["database"].values()])
    (untimed,) = look(root, Asked()).clicks
    assert untimed[1] is None
