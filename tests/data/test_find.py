"""Finding a dataset: features on disk or the simulated stand-in, and its fingerprint."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.cache import convert
from tal_search.data.find import check, default_annotators, find, load
from tal_search.data.simulation.videos import RECIPE
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS
from tests.support.make_dataset import SMALL, change, edit_json, found, problems_of


def test_features_are_found_with_ground_truth_and_clicks(root: Path) -> None:
    spec = found(root)
    assert spec.source == "features"
    assert spec.description.startswith("features: surrogate features (8 channels, not the 2048 of I3D)")
    assert spec.description.endswith("4 training and 3 test videos; layout backtal")
    assert spec.ground_truth == str(root / "gt_thumos14.json")
    assert spec.clicks[BACKGROUND_CLICKS] == {
        name: str(root / f"clicks_background_{name}.txt") for name in ("A1", "A2")
    }
    assert default_annotators(spec, (BACKGROUND_CLICKS,)) == ("A1", "A2")
    assert spec == found(root, "features")
    check(spec, ("A1", "A2"), (BACKGROUND_CLICKS,))


def test_auto_without_features_simulates_and_says_why(tmp_path: Path) -> None:
    spec = found(tmp_path / "absent")
    assert spec.source == "simulated"
    assert spec.description == f"simulated THUMOS14 stand-in, recipe {RECIPE} (no features under {tmp_path / 'absent'})"
    assert default_annotators(spec, (BACKGROUND_CLICKS,)) == ("A1",)
    assert sorted(spec.clicks[BACKGROUND_CLICKS]) == ["A1", "A2", "A3", "gaussian", "uniform"]
    assert "dataset.root is not given" in found(None).description


def test_half_of_the_features_is_named(root: Path) -> None:
    shutil.rmtree(root / "test")
    assert f"no test features under {root}" in found(root).description
    (problem,) = problems_of(lambda: found(root, "features"))
    assert f"no test features under {root}" in problem


@pytest.mark.parametrize("root", [None, Path("nowhere/at/all")])
def test_features_asked_for_and_not_there_are_never_simulated(root: Path | None) -> None:
    (problem,) = problems_of(lambda: found(root, "features"))
    why = "no features under nowhere/at/all, which does not exist; " if root else "dataset.source=features, but "
    assert problem.startswith(why)


def test_a_root_that_cannot_be_opened_is_said_and_not_simulated() -> None:
    (problem,) = problems_of(lambda: found(Path("a" * 5000)))
    assert problem.endswith(": cannot be read (File name too long); correct its permissions or dataset.root")


def test_what_a_root_holds_instead_of_features_is_said(root: Path) -> None:
    for path in root.glob("*/*.npz"):
        path.rename(path.with_suffix(".pkl"))
    (problem,) = problems_of(lambda: found(root, "features"))
    assert f"no features under {root}, which holds 7 .pkl, 2 .txt and 1 .json; give a folder with val/*.npz" in problem


def test_simulated_wins_over_features_on_disk(root: Path) -> None:
    spec = found(root, "simulated")
    assert spec.source == "simulated"
    assert "dataset.source=simulated" in spec.description


def test_unknown_source() -> None:
    assert "dataset.source=disk is unknown" in problems_of(lambda: found(None, "disk"))[0]


def test_validation_is_the_test_split_where_there_is_no_other(root: Path) -> None:
    (root / "test").rename(root / "validation")
    (root / "val").rename(root / "train")

    def rename(content: dict[str, Any]) -> None:
        for video in content["database"].values():
            video["subset"] = {"val": "Training", "test": "Validation"}[video["subset"]]

    edit_json(root / "gt_thumos14.json", rename)
    for name in ("thumos14", "activitynet12", "another"):
        spec = find(name, "features", root, root / "gt_thumos14.json", root, 40, SMALL)
        assert "4 training and 3 test videos" in spec.description
        if name != "activitynet12":  # which has other classes
            check(spec, ("A1",), (BACKGROUND_CLICKS,))


def test_ground_truth_and_clicks_beside_the_features(root: Path) -> None:
    beside = root.parent / "thumos14"
    beside.mkdir()
    for file in (*root.glob("*.json"), *root.glob("*.txt")):
        file.rename(beside / file.name)
    (beside / "gt_other.json").write_text("{}")
    spec = found(root)
    assert spec.ground_truth == str(beside / "gt_thumos14.json")
    assert set(spec.clicks[BACKGROUND_CLICKS]) == {"A1", "A2"}


def test_one_ground_truth_wanted(root: Path) -> None:
    (root / "gt_thumos14.json").rename(root / "gt_a.json")
    assert found(root).ground_truth == str(root / "gt_a.json")
    shutil.copy(root / "gt_a.json", root / "b_groundtruth.json")
    (problem,) = problems_of(lambda: found(root))
    assert "several ground truths (b_groundtruth.json, gt_a.json); choose by dataset.ground_truth=PATH" in problem
    assert found(root, ground_truth=root / "gt_a.json").ground_truth == str(root / "gt_a.json")
    for file in root.glob("*.json"):
        file.unlink()
    (problem,) = problems_of(lambda: found(root))
    assert "give dataset.ground_truth=PATH" in problem
    (problem,) = problems_of(lambda: found(root, ground_truth=root / "gone.json"))
    assert "gone.json: cannot be read" in problem


def test_embedded_clicks_where_there_is_no_click_file(root: Path) -> None:
    for file in root.glob("*.txt"):
        file.unlink()
    spec = found(root)
    assert spec.clicks == {BACKGROUND_CLICKS: {"embedded": ""}, ACTION_CLICKS: {}}
    assert default_annotators(spec, (BACKGROUND_CLICKS,)) == ("embedded",)
    check(spec, ("embedded",), (BACKGROUND_CLICKS,))
    clicks = load(spec, "embedded", (BACKGROUND_CLICKS,)).train.background_clicks
    assert clicks.sum(1).tolist() == [3, 3, 3, 3]


def test_no_clicks_at_all(root: Path) -> None:
    for file in root.glob("*.txt"):
        file.unlink()
    for file in (root / "val").glob("*.npz"):
        change(file, point_label=None)
    assert default_annotators(found(root), (BACKGROUND_CLICKS,)) == ()


def test_a_folder_of_clicks(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (root / "clicks_background_A1.txt").rename(tmp_path / "mine" / "clicks_background_me.txt")
    assert default_annotators(found(root, clicks=tmp_path / "mine"), (BACKGROUND_CLICKS,)) == ("me",)
    (problem,) = problems_of(lambda: found(root, clicks=tmp_path))
    assert "dataset.clicks=" in problem


def test_files_that_are_no_npz_are_all_reported_when_finding(root: Path) -> None:
    (root / "val" / "video_val_0001.npz").write_bytes(b"not a zip")
    (root / "test" / "video_test_0000.npz").write_bytes(b"")
    (root / "gt_thumos14.json").unlink()
    problems = problems_of(lambda: found(root))
    assert len(problems) == 3
    assert "video_val_0001.npz: is truncated or not an npz file" in problems[1]
    assert "video_test_0000.npz: is truncated or not an npz file" in problems[2]


def test_links_that_leave_the_root_are_refused(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.npz"
    (root / "val" / "video_val_0001.npz").rename(target)
    (root / "val" / "video_val_0001.npz").symlink_to(target)
    assert "is a link out of dataset.root=" in problems_of(lambda: found(root))[0]
    (root / "val" / "video_val_0001.npz").unlink()
    target.rename(root / "val" / "video_val_0001.npz")
    (root / "test").rename(tmp_path / "elsewhere")
    (root / "test").symlink_to(tmp_path / "elsewhere")
    assert "test is a link out of dataset.root=" in problems_of(lambda: found(root))[0]


def test_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert found(tmp_path / "link").fingerprint == found(root).fingerprint


def test_fingerprint_follows_content_and_nothing_else(root: Path, tmp_path: Path) -> None:
    before = found(root)
    moved = tmp_path / "another name"
    shutil.copytree(root, moved)
    assert found(moved).fingerprint == before.fingerprint
    assert found(moved).click_fingerprints == before.click_fingerprints
    change(moved / "val" / "video_val_0000.npz", duration=40.5)
    assert found(moved).fingerprint != before.fingerprint
    edit_json(root / "gt_thumos14.json", lambda content: content["database"]["video_val_0000"].update(duration=41))
    assert found(root).fingerprint != before.fingerprint
    with (root / "clicks_background_A1.txt").open("a") as file:
        file.write("\n")
    after = found(root).click_fingerprints[BACKGROUND_CLICKS]
    assert after["A1"] != before.click_fingerprints[BACKGROUND_CLICKS]["A1"]
    assert after["A2"] == before.click_fingerprints[BACKGROUND_CLICKS]["A2"]


def test_fingerprint_of_the_simulated_set(root: Path) -> None:
    prints = {
        found(None).fingerprint,
        found(None, simulation=dataclasses.replace(SMALL, noise=0.2)).fingerprint,
        found(None, simulation=dataclasses.replace(SMALL, seed=1)).fingerprint,
        found(None, ground_truth=root / "gt_thumos14.json").fingerprint,
    }
    assert len(prints) == 4
    assert found(None, snippets=9).fingerprint in prints  # T has its own place in a trial's key


def test_finding_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, tal_search.data.find; print({'torch', 'pandas', 'ray', 'mlflow', 'optuna'} & set(sys.modules))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "set()"


@pytest.mark.parametrize("source", ["features", "simulated", "converted"])
def test_a_fingerprint_covers_how_labels_are_read_where_that_is_not_as_spelled(
    root: Path, tmp_path: Path, source: str
) -> None:
    """Results of versions that took each spelling for a class are not those of today."""
    truth = root / "gt_thumos14.json"

    def spec(name: str) -> DatasetSpec:
        folder = tmp_path / "converted" if source == "converted" else root
        kind = "simulated" if source == "simulated" else "features"
        return find(name, kind, folder, truth if kind == "simulated" else None, None, 40, SMALL)

    if source == "converted":
        convert(found(root), tmp_path / "converted", [])
        truth = tmp_path / "converted" / "gt_thumos14.json"
    clean = {name: spec(name).fingerprint for name in ("thumos14", "mine")}
    assert len(set(clean.values())) == 1
    truth.write_text(truth.read_text().replace("CliffDiving", "cliff_diving"))
    edit_json(truth, lambda content: content.pop("activity_list"))
    assert spec("thumos14").fingerprint != spec("mine").fingerprint, "THUMOS14 spells it CliffDiving"
