"""`data init`: what it infers is right, `data check` and `run` take the file, and nothing is written for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.data.catalog import definition
from tests.support.dirty_datasets import DIRTY
from tests.support.make_dataset import edit_json, make_dataset
from tests.support.make_layouts import make_layout
from tests.support.own_dataset import CLASSES, make_own

# Faults of a study, and those that `init` names as not inferred, because it infers the timing.
NO_FAULTS = ("npy without fps", "npy with an fps that is none", "npy of other timing")
OWN_WORDS = ("no folder", "a file")


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_set_never_seen_from_its_folder_to_a_checked_definition(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_own(tmp_path / "my data")
    assert main(["data", "init", str(root)]) == 0
    said = capsys.readouterr().out
    found = definition("moves")
    assert (found.layout, found.stride, found.offset, found.fps) == ("actionformer", 8, 16, 30)
    assert (found.classes, found.tiou) == (tuple(sorted(CLASSES)), "0.3:0.7:0.1")
    assert (found.splits.training, found.splits.test) == (("training",), ("test",))
    assert "The names hold 6 people (subj(\\d+)); none has videos in both splits" in said
    assert "  offset: 16 is a guess" in said
    assert "Which methods can run? actionformer, asl, basnet, dgam" in said
    assert f"tal-search data check '{root}' name=moves" in said
    assert "{by: 'subj(\\d+)', of: 6}" in (tmp_path / "datasets/moves.yaml").read_text()
    assert main(["data", "check", str(root), "name=moves"]) == 0
    assert "snippet i at (8·i + 16)/30 s" in capsys.readouterr().out


@pytest.mark.parametrize("layout", ["backtal", "basnet", "actionformer", "hdf5", "converted"])
def test_every_layout_is_read_and_then_checked(layout: str, tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "npz")
    if layout == "converted":
        assert main(["data", "convert", str(root), f"out={tmp_path / layout}", "snippets=30"]) == 0
        root = tmp_path / layout
    elif layout != "backtal":
        root = make_layout(root, layout, tmp_path / layout)
    (root / "gt_thumos14.json").rename(root / "gt_own.json")
    assert main(["data", "init", str(root)]) == 0
    found = definition("own")
    assert found.layout == layout
    if layout in ("basnet", "actionformer"):
        assert found.stride == 10
    assert main(["data", "check", str(root), "name=own"]) == 0


@pytest.mark.parametrize("fault", [name for name, dirty in DIRTY.items() if not dirty.of_study])
def test_dirty_folders(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(tmp_path / "thumos14")
    DIRTY[fault].edit(root)
    code = main(["data", "init", str(root), f"out={tmp_path / 'draft.yaml'}"])
    said = capsys.readouterr()
    if fault in NO_FAULTS:
        assert code == 0
        assert "stride, offset: no stride explains" in said.out
        return
    assert code == 2
    assert not (tmp_path / "draft.yaml").exists()
    assert str(root) in said.err if fault in OWN_WORDS else DIRTY[fault].says.format(root=root) in said.err


def test_a_file_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_own(tmp_path / "moves")
    Path("datasets").mkdir()
    Path("datasets/moves.yaml").write_text("title: mine\n")
    assert main(["data", "init", str(root)]) == 2
    assert "exists and is not overwritten" in capsys.readouterr().err
    assert Path("datasets/moves.yaml").read_text() == "title: mine\n"


def test_annotations_without_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_own(tmp_path / "moves")
    for path in root.glob("*.npy"):
        path.unlink()
    assert main(["data", "init", str(root)]) == 0
    said = capsys.readouterr().out
    assert "features: " in said
    assert definition("moves").stride is None


def test_two_ground_truths_and_a_video_without_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_own(tmp_path / "moves")
    (root / "take0_subj0.npy").unlink()
    assert main(["data", "init", str(root)]) == 2
    assert "no features of 1 video (take0_subj0)" in capsys.readouterr().err
    (root / "gt_other.json").write_text("{}")
    assert main(["data", "init", str(root), "name=third"]) == 2
    assert "has several ground truths (gt_moves.json, gt_other.json)" in capsys.readouterr().err


def test_names_of_classes_are_read_back_as_they_are(tmp_path: Path) -> None:
    root = make_own(tmp_path / "moves")
    odd = {"hop": "1e-4", "skip": 'no: #x "y" \\', "jump": "été 跳"}

    def relabel(content: dict[str, dict[str, dict[str, list[dict[str, str]]]]]) -> None:
        for entry in content["database"].values():
            for item in entry["annotations"]:
                item["label"] = odd[item["label"]]

    edit_json(root / "gt_moves.json", relabel)
    assert main(["data", "init", str(root)]) == 0
    assert set(definition("moves").classes) == set(odd.values())
    assert json.loads((root / "gt_moves.json").read_text())["database"]


def test_npz_files_of_single_videos_are_named_with_the_form_that_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_own(tmp_path / "mine")
    for path in root.glob("*.npy"):
        path.rename(path.with_suffix(".npz"))
    assert main(["data", "init", str(root)]) == 2
    said = capsys.readouterr().err
    assert "no features under" in said
    assert "save each video's features as VIDEO.npy, an array [snippets, channels]" in said
    assert "simulated" not in said, "no study was asked for"


def test_no_place_is_named_twice_and_the_key_of_the_fix_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_own(tmp_path / "mine")
    truth = next(root.glob("gt_*.json")).rename(tmp_path / "elsewhere.json")
    assert main(["data", "init", "mine"]) == 2
    assert "in mine, mine/annotations, .; " in capsys.readouterr().err
    assert main(["data", "init", "mine", f"dataset.ground_truth={truth}"]) == 0


def test_a_ground_truth_that_is_not_there_is_one_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_own(tmp_path / "mine")
    assert main(["data", "init", str(root), "ground_truth=nope.json"]) == 2
    assert capsys.readouterr().err.count("cannot be read") == 1
