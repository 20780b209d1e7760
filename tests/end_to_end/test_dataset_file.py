"""A dataset of one's own: one file, and check, convert, preview, run and evaluate agree on it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tests.support.make_dataset import make_dataset

CLASSES = ("pour", "stir", "cut")
# Folders and classes as the files have them, labels in another spelling, and thresholds that are no defaults.
DEFINITION = """\
description: Two people cook
classes: [Pour, Stir, Cut]
splits: {training: [kitchen A], test: [kitchen B]}
channels: 64
snippets: 40
tiou: 0.3:0.5:0.1
protocol: thumos14
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Features in folders that only the definition names."""
    made = make_dataset(tmp_path / "features", train=6, test=3, classes=CLASSES)
    for old, new in (("val", "kitchen A"), ("test", "kitchen B")):
        shutil.move(made / old, made / new)
        truth = made / "gt_thumos14.json"
        truth.write_text(truth.read_text().replace(f'"subset": "{old}"', f'"subset": "{new}"'))
    return made


def run(*settings: str) -> int:
    return main(["run", "study=thumos_single", "tracking.mlflow=false", *settings])


def test_every_command_reads_the_same_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)  # the workers' folder is another one
    Path("kitchen.yaml").write_text(DEFINITION)
    described = "features with 8 channels, not the 64 of published ones, 6 training and 3 test videos"
    name, file = "thumos14", "kitchen.yaml"
    assert main(["data", "check", str(root), f"name={name}", f"file={file}"]) == 0
    checked = capsys.readouterr().out
    assert described in checked
    assert "6 videos, " in checked
    assert "'pour' (6 instances) as 'Pour'" in checked
    assert main(["data", "convert", str(root), "out=converted", f"name={name}", f"file={file}"]) == 0
    assert "Converted to 40 snippets" in capsys.readouterr().out
    keys = [f"dataset.name={name}", f"dataset.file={file}", "dataset.snippets=40", "hyperparameters.epochs=2"]
    keys += ["hyperparameters.hidden_channels=8", "search.repeats.annotators=[A1]"]
    for place in (root, Path("converted")):
        assert run("--preview", *keys, f"dataset.root={place}") == 0
        shown = capsys.readouterr().out
        assert described in shown
        assert "'pour' (6 instances) as 'Pour'" in shown
    assert run(*keys, f"dataset.root={root}", "backend=ray") == 0
    assert described in capsys.readouterr().out
    (folder,) = (path.parent for path in work.glob("runs/trials/*/result.json"))
    scores = json.loads((folder / "scores.json").read_text())
    spec = json.loads((folder / "spec.json").read_text())
    assert (scores["protocol"], scores["tiou"]) == ("thumos14", [0.3, 0.4, 0.5])
    assert set(scores["per_class"]) <= {"Pour", "Stir", "Cut"}
    assert spec["dataset"]["definition"]["classes"] == ["Pour", "Stir", "Cut"]
    files = [f"detections={folder / 'detections.json'}", f"ground_truth={root / 'gt_thumos14.json'}"]
    assert main(["evaluate", *files, "subset=kitchen B", f"name={name}", f"file={file}", "out=again.json"]) == 0
    again = json.loads(Path("again.json").read_text())
    assert {key: again[key] for key in ("protocol", "tiou", "mAP", "per_class")} == {
        key: scores[key] for key in ("protocol", "tiou", "mAP", "per_class")
    }


def test_what_a_study_sets_comes_before_the_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "thumos14.yaml").write_text(DEFINITION)
    keys = [f"dataset.root={root}", "protocol.tiou=0.5", "protocol.evaluation=activitynet", "dataset.snippets=40"]
    assert run(*keys, "hyperparameters.epochs=1", "hyperparameters.hidden_channels=8", "backend=inline") == 0
    assert "Scores: activitynet protocol" in capsys.readouterr().out
    (file,) = tmp_path.glob("runs/trials/*/scores.json")
    assert json.loads(file.read_text())["tiou"] == [0.5]
