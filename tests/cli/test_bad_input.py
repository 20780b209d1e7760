"""Bad input through the command itself: exit code 2, one sentence each, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tal_search.cli.main import main
from tests.support.make_dataset import change, edit_json, make_dataset


def drop_video(root: Path) -> None:
    (root / "test" / "video_test_0001.npz").unlink()


def widen(root: Path) -> None:
    change(root / "val" / "video_val_0003.npz", feat_spa=np.zeros((5, 40), np.float32))


def truncate(root: Path) -> None:
    path = root / "val" / "video_val_0000.npz"
    path.write_bytes(path.read_bytes()[:-200])


def pickle(root: Path) -> None:
    change(root / "val" / "video_val_0001.npz", feat_tem=np.array([{"a": 1}], dtype=object))


def click_beyond(root: Path) -> None:
    with (root / "clicks_background_A1.txt").open("a") as file:
        file.write("video_val_0000,video_val_0000.mp4,20,background_background,99,99,1,1\n")


def empty_annotation(root: Path) -> None:
    def clear(content: dict[str, dict[str, dict[str, object]]]) -> None:
        for entry in content["database"].values():
            if entry["subset"] == "test":
                entry["annotations"] = []

    edit_json(root / "gt_thumos14.json", clear)


def foreign_label(root: Path) -> None:
    def rename(content: dict[str, dict[str, dict[str, list[dict[str, str]]]]]) -> None:
        content["database"]["video_test_0000"]["annotations"][0]["label"] = "Knitting"

    edit_json(root / "gt_thumos14.json", rename)


def background_label(root: Path) -> None:
    def add(content: dict[str, dict[str, dict[str, list[dict[str, object]]]]]) -> None:
        for entry in content["database"].values():
            entry["annotations"].append({"segment": [1, 2], "label": "Background"})

    edit_json(root / "gt_thumos14.json", add)


def classes_of_another_dataset(root: Path) -> None:
    path = root / "gt_thumos14.json"
    path.write_text(path.read_text().replace("GolfSwing", "Knitting").replace("HighJump", "Juggling"))


DAMAGE: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "missing video": (drop_video, ("video_test_0001", "gt_thumos14.json")),
    "wrong channel count": (widen, ("video_val_0003.npz", "expected 8 feature channels", "got 9")),
    "truncated npz": (truncate, ("video_val_0000.npz", "truncated")),
    "pickled npz": (pickle, ("video_val_0001.npz", "feat_tem", "pickled")),
    "click beyond the duration": (click_beyond, ("clicks_background_A1.txt", "99", "40")),
    "empty annotation": (empty_annotation, ("gt_thumos14.json", "test")),
    "label outside the class list": (foreign_label, ("gt_thumos14.json", "Knitting", "activity_list")),
    "background as a label": (background_label, ("gt_thumos14.json", "'Background' (7 instances", "is no class")),
    "classes of another dataset": (
        classes_of_another_dataset,
        ("no class of THUMOS14", "'Knitting' (4 instances", "dataset.name=NAME"),
    ),
}


def run(folder: Path, *overrides: str) -> int:
    return main(["run", "study=quickstart", "backend=inline", f"runs={folder / 'runs'}", *overrides])


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_data(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(tmp_path / "features")
    break_it, words = DAMAGE[damage]
    break_it(root)
    assert run(tmp_path, "dataset.source=features", f"dataset.root={root}", "search.repeats.annotators=[A1]") == 2
    sentences = capsys.readouterr().err.splitlines()
    assert len(sentences) == 1, sentences
    assert all(word in sentences[0] for word in words), sentences[0]
    assert not (tmp_path / "runs").exists()


def test_what_a_run_does_with_a_contradicting_ground_truth_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_dataset(tmp_path / "features")

    def edit(content: dict[str, dict[str, dict[str, list[dict[str, object]]]]]) -> None:
        content["database"]["video_val_0001"]["annotations"].append({"segment": [80, 95], "label": "golf_swing"})
        content["database"]["video_test_0000"]["annotations"].append({"segment": [38, 45], "label": "CliffDiving"})

    edit_json(root / "gt_thumos14.json", edit)
    settings = ["dataset.source=features", f"dataset.root={root}", "tracking.mlflow=false", "search.axes={}"]
    repeats = ["search.repeats.annotators=[A1]", "search.repeats.seeds=[0]"]
    assert run(tmp_path, *settings, *repeats, "hyperparameters.epochs=1") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "are read as that class: 'golf_swing' (1 instance) as 'GolfSwing'" in out
    assert "1 instance lies wholly outside its video, in 1 video (video_val_0001)" in out
    assert "1 instance lies partly outside its video, after its end, in 1 video (video_test_0000)" in out


def test_several_problems_are_all_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(tmp_path / "features")
    widen(root)
    click_beyond(root)
    pickle(root)
    assert run(tmp_path, "dataset.source=features", f"dataset.root={root}", "search.repeats.annotators=[A1]") == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "study=thumos_gird"], ("did you mean 'thumos_grid'?",)),
        (["run", "study=quickstart", "hyperparameters.kernal_size=5"], ("kernal_size", "did you mean", "kernel_size")),
    ],
)
def test_unknown_names(
    arguments: list[str], words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, f"runs={tmp_path / 'runs'}"]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert all(word in sentence for word in words)
    assert list(tmp_path.iterdir()) == []


SAMPLER = ["search.plan=sampler", "~search.axes", "search.space={lambda_sep:{low:.5,high:2}}", "budget.trials=4"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["search.plan=sampler", "~search.axes", "budget.trials=4"],
            ("search.plan is sampler", "search.space is empty"),
        ),
        (["search.axes.kernel_size=[5,2]"], ("search.axes.kernel_size[1] is 2", "must be odd")),
        ([*SAMPLER, "search.pruner=hyperbrand"], ("search.pruner.name", "did you mean 'hyperband'?")),
        ([*SAMPLER, "search.objectives=[test_mAP]"], ("search.objectives.test_mAP", "never steers a search")),
        ([*SAMPLER, "search.repeats.seeds=[0,1,2,3,4]"], ("budget.trials is 4", "one cell has 5 trials")),
        (["search.repeats.annotators=[A9]"], ("search.repeats.annotators has 'A9'", "found: A1, A2, A3")),
        (["budget.trials=0"], ("budget.trials is 0", "at least 1")),
        (["budget.minutes=0"], ("budget.minutes is 0", "greater than 0")),
        (["study.fork=../other"], ("study.fork", "letters, digits, - and _")),
    ],
)
def test_a_search_that_cannot_be(
    overrides: list[str], words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, *overrides) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "runs").exists()


def test_a_record_that_cannot_be_reached_keeps_its_password_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql+psycopg://someone:swordfish@127.0.0.1:1/studies?connect_timeout=5"
    assert run(tmp_path, f"record={url}", "tracking.mlflow=false") == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "record=postgresql+psycopg://someone:***@127.0.0.1:1/studies" in sentence
    assert "cannot be opened" in sentence
    assert "swordfish" not in sentence
    assert not (tmp_path / "runs" / "trials").exists()


def test_runs_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    assert run(tmp_path) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "runs") in sentence
    assert "runs=FOLDER" in sentence
    assert (tmp_path / "runs").read_text().startswith("a file")


def test_a_small_study_in_process_ends_with_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(tmp_path / "features", train=8)
    settings = ["dataset.source=features", f"dataset.root={root}", "hyperparameters.epochs=2", "tracking.mlflow=false"]
    assert run(tmp_path, *settings, "search.repeats.seeds=[0]") == 0
    out = capsys.readouterr().out
    assert out.startswith("Data: features: surrogate features (8 channels")
    csv = (tmp_path / "runs" / "quickstart" / "sensitivity.csv").read_text()
    assert "surrogate" in csv
    assert run(tmp_path, *settings, "search.repeats.seeds=[0]") == 0  # everything is there already
    assert (tmp_path / "runs" / "quickstart" / "sensitivity.csv").read_text() == csv
    results = list((tmp_path / "runs" / "trials").glob("*/result.json"))
    assert len(results) == 10  # 5 cells × 2 annotators
    assert all(json.loads(path.read_text())["result"]["mAP"] for path in results)
