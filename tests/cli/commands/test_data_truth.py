"""The data command on ground truths that contradict themselves, their videos or the dataset that they are named as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tal_search.cli.main import main
from tal_search.data.features.cache import convert
from tests.support.make_dataset import CLASSES, edit_json, found, make_dataset
from tests.support.make_layouts import make_layout


@pytest.fixture
def dirty(root: Path) -> Callable[[Callable[[list[dict[str, Any]], str], None]], Path]:
    """Edits the instances of every video of the small dataset."""

    def edited(edit: Callable[[list[dict[str, Any]], str], None]) -> Path:
        def each(content: dict[str, Any]) -> None:
            for name, video in content["database"].items():
                edit(video["annotations"], name)

        edit_json(root / "gt_thumos14.json", each)
        return root

    return edited


def check(root: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str], list[str]]:
    """Exit code, lines of the output, and lines of the errors."""
    code = main(["data", "check", str(root), *more])
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err.splitlines()


@pytest.mark.parametrize("layout", ["backtal", "hdf5", "converted"])
def test_instances_that_contradict_their_videos_are_notes_by_kind(
    dirty: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    def edit(items: list[dict[str, Any]], name: str) -> None:
        label = items[0]["label"]
        if name == "video_val_0001":
            items += [{"segment": [80, 95], "label": label}, {"segment": [-4, -1], "label": label}]
            items += [{"segment": [-2, 3], "label": label}, {"segment": [7, 7], "label": label}]
        if name == "video_test_0001":
            items += [{"segment": [38, 44], "label": label}, dict(items[0])]

    root = dirty(edit)
    if layout == "converted":
        convert(found(root), tmp_path / "out", [])
    elif layout != "backtal":
        make_layout(root, layout, tmp_path / "out")
    code, out, err = check(root if layout == "backtal" else tmp_path / "out", capsys)
    assert (code, err) == (0, [])
    notes = [line.split("gt_thumos14.json: ")[1].split(" (")[0] for line in out if "gt_thumos14.json: " in line]
    assert notes == [
        "1 instance has no length, in 1 video",
        "2 instances lie wholly outside their video, in 1 video",
        "1 instance lies partly outside its video, before 0 s, in 1 video",
        "1 instance lies partly outside its video, after its end, in 1 video",
        "1 instance repeats another exactly, in 1 video",
    ]


def test_an_end_is_compared_with_the_duration_that_the_features_have(
    dirty: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    root = dirty(lambda items, name: items.append({"segment": [60, 70], "label": items[0]["label"]}))
    edit_json(root / "gt_thumos14.json", lambda content: [v.pop("duration") for v in content["database"].values()])
    code, out, _ = check(root, capsys)
    assert code == 0
    assert any("7 instances lie wholly outside their video, in 7 videos (video_val_0000, " in line for line in out)


def test_labels_in_several_spellings_are_one_class_and_one_note(dirty: Any, capsys: pytest.CaptureFixture[str]) -> None:
    spelled = {"CliffDiving": "Cliff diving", "HighJump": "high_jump"}
    root = dirty(lambda items, _: items[0].update(label=spelled.get(items[0]["label"], items[0]["label"])))
    code, out, err = check(root, capsys)
    assert (code, err) == (0, [])
    assert "8 instances of 3 classes" in out[1]
    (note,) = (line for line in out if "are read as that class" in line)
    assert note.endswith(": 'Cliff diving' (3 instances) as 'CliffDiving', 'high_jump' (2 instances) as 'HighJump'")


@pytest.mark.parametrize("activity_list", [True, False])
def test_labels_that_are_no_class_are_refused_once_for_all_videos(
    dirty: Any, capsys: pytest.CaptureFixture[str], activity_list: bool
) -> None:
    root = dirty(lambda items, _: items.extend([{"segment": [1, 2], "label": "background"}] * 3))
    dirty(lambda items, _: items.append({"segment": [1, 2], "label": "Jogging"}))
    if not activity_list:
        edit_json(root / "gt_thumos14.json", lambda content: content.pop("activity_list"))
    code, out, err = check(root, capsys)
    assert (code, len(out)) == (2, 1)
    assert {line.split("gt_thumos14.json: ")[1].split(":")[0] for line in err} == {
        "labels that mean background, which is no class",
        f"labels that {'activity_list does not name' if activity_list else 'are no class of THUMOS14'}",
    }
    assert len(err) == 2
    assert "'background' (21 instances, first in database.video_val_0000.annotations[2])" in "".join(err)


def test_labels_of_another_dataset_are_refused_under_the_name_of_a_known_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_dataset(tmp_path / "mine", classes=("pour", "stir", "cut"))
    code, _, err = check(root, capsys)
    assert code == 2
    assert len(err) == 1
    assert "labels that are no class of THUMOS14: 'pour' (6 instances, first in " in err[0]
    assert "give the name of the dataset that has them (name=NAME" in err[0]
    assert check(root, capsys, "name=mine")[0] == 0


@pytest.mark.parametrize(
    ("videos", "compared"), [((4, 3), True), ((6, 3), True), ((200, 210), True), ((3, 4), False), ((2, 200), False)]
)
def test_other_cuts_of_the_data_are_not_compared_with_published_numbers(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    videos: tuple[int, int],
    compared: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "datasets"
    folder.mkdir()
    counts = f"videos: {{training: {videos[0]}, test: {videos[1]}}}"
    (folder / "thumos14.yaml").write_text(f"{counts}\nsplits: {{training: [val], test: [test]}}\n")
    training, test = (f" of {number} published" if compared else "" for number in videos)
    _, out, _ = check(root, capsys)
    assert [line.split(", ")[0] for line in out[1:3]] == [f"training: 4 videos{training}", f"test: 3 videos{test}"]
    assert " published" not in "".join(check(root, capsys, "name=mine")[1])


@pytest.mark.parametrize(
    ("name", "channels", "says"),
    [
        ("thumos14", 8, "surrogate features (8 channels, not the 2048 of I3D)"),
        ("thumos14", 1024, "features with 1024 channels, not the 2048 of I3D"),
        ("thumos14", 2048, "features with 2048 channels,"),
        ("mine", 8, "features with 8 channels,"),
    ],
)
def test_only_surrogates_are_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, channels: int, says: str
) -> None:
    root = make_dataset(tmp_path / "features", train=1, test=1, channels=channels, snippets=4, classes=CLASSES[:1])
    (root / "gt_thumos14.json").rename(root / f"gt_{name}.json")
    (root / "test").rename(root / "testing")
    _, out, err = check(root, capsys, f"name={name}")
    assert err == []
    assert out[0].startswith(f"Data: features: {says}")


def test_check_names_what_is_wrong_with_the_presets_of_the_file(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("presets: {backtal: {papre: {}, paper: {hyperparameters: {lambda_sep: -1}}}}\n")
    assert main(["data", "check", str(root), f"file={file}", "ground_truth=nowhere.json"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    for words in ("presets.backtal.papre is no preset", "lambda_sep is -1", "nowhere.json: cannot be read"):
        assert words in said
