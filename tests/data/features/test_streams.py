"""RGB and flow: what layouts, definitions and converted features say of the channels, and files that disagree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tal_search.data.features.cache import convert
from tal_search.data.features.layouts import LAYOUTS
from tal_search.data.features.stored import StoredShape
from tal_search.data.features.streams import both_streams, known_streams
from tal_search.data.find import check
from tal_search.data.simulation.videos import Simulation
from tal_search.errors import InputError
from tal_search.files.checked import SHA256
from tests.support.make_dataset import change, edit_json, found, make_dataset, problems_of
from tests.support.make_layouts import OTHERS, make_layout, spec_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "thumos14")


def three_and_five(root: Path) -> Path:
    """Move a channel of every file from RGB to flow."""
    for path in root.glob("*/*.npz"):
        with np.load(path) as file:
            spatial, temporal = file["feat_spa"], file["feat_tem"]
        change(path, feat_spa=spatial[:-1], feat_tem=np.concatenate([spatial[-1:], temporal]))
    return root


def test_layouts_that_keep_streams_apart_say_how_many_channels_each_has(root: Path, tmp_path: Path) -> None:
    assert (found(root).channels, found(root).streams) == (8, [4, 4])
    three_and_five(root)
    known = {layout: spec_of(make_layout(root, layout, tmp_path / layout), layout) for layout in OTHERS}
    assert found(root).streams == [3, 5]
    assert {layout: spec.channels for layout, spec in known.items()} == dict.fromkeys(OTHERS, 8)
    assert {layout: spec.streams for layout, spec in known.items()} == {
        "basnet": [3, 5], "actionformer": [], "hdf5": [],
    }  # fmt: skip


def test_one_array_holds_both_streams_where_it_has_the_channels_of_actionformers_features() -> None:
    joined, other = StoredShape(2048, 30, 2048), StoredShape(768, 30, 768)
    assert known_streams(LAYOUTS["actionformer"], joined) == [1024, 1024]
    assert known_streams(LAYOUTS["actionformer"], other) == []
    assert known_streams(LAYOUTS["hdf5"], joined) == []
    assert known_streams(LAYOUTS["hdf5"], None) == []


def test_a_definition_says_what_a_layout_does_not(root: Path, tmp_path: Path) -> None:
    of = make_layout(root, "actionformer", tmp_path / "npy")
    file = tmp_path / "thumos14.yaml"
    file.write_text("streams: [3, 5]\nclasses: []\n")
    assert found(of, file=file).streams == [3, 5]
    file.write_text("streams: [8]\n")
    (problem,) = problems_of(lambda: found(of, file=file))
    assert problem.endswith("streams is [8]; it must be two numbers, the channels of RGB and of flow")


def test_converted_features_keep_the_streams_and_those_of_earlier_versions_have_none(
    root: Path, tmp_path: Path
) -> None:
    convert(found(three_and_five(root), snippets=30), tmp_path / "new", [])
    spec = found(tmp_path / "new", snippets=30)
    assert (spec.channels, spec.streams) == (8, [3, 5])
    edit_json(tmp_path / "new" / "manifest.json", lambda content: [content.pop(key) for key in ("streams", SHA256)])
    older = found(tmp_path / "new", snippets=30)
    assert (older.channels, older.streams) == (8, [])
    of = make_layout(make_dataset(tmp_path / "again"), "hdf5", tmp_path / "hdf5")
    convert(found(of, snippets=30), tmp_path / "unknown", [])
    assert found(tmp_path / "unknown", snippets=30).streams == []


def test_a_video_whose_channels_are_parted_otherwise_is_refused(root: Path) -> None:
    three_and_five(root)
    path = root / "val" / "video_val_0001.npz"
    with np.load(path) as file:
        spatial, temporal = file["feat_spa"], file["feat_tem"]
    change(path, feat_spa=np.concatenate([spatial, temporal[:1]]), feat_tem=temporal[1:])
    (problem,) = problems_of(lambda: check(found(root), (), ()))
    assert problem == f"{path}: 4 channels of 8 are RGB where other videos have 3; extract it again"


def test_simulated_features_have_streams_if_they_can_be_halved() -> None:
    small = {"train_videos": 4, "test_videos": 3}
    assert found(None, "simulated", simulation=Simulation(channels=8, **small)).streams == [4, 4]
    odd = found(None, "simulated", simulation=Simulation(channels=7, **small))
    assert (odd.channels, odd.streams) == (7, [])


def test_streams_add_up_to_the_channels() -> None:
    assert both_streams(8) == (4, 4)
    assert both_streams(8, [3, 5]) == (3, 5)
    for channels, streams in ((7, ()), (8, (4, 5))):
        with pytest.raises(InputError, match=rf"features have {channels} channels, not \d of RGB and \d of flow; give"):
            both_streams(channels, streams)
