"""The recipes of docs/extending.md, followed to the letter in a copy of the repository."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tal_dashboards.data.reader import StudyReader
from tests.support.make_dataset import make_dataset
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
SHOWN = re.compile(r"^`([^`\n]+)`(?:, below `([^`\n]+)`)?:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    ((?:python|tal-search) .+)$", re.MULTILINE)
SMALL = ["backend=inline", "tracking.mlflow=false", "search.repeats.seeds=[0]"]


def recipe(title: str) -> str:
    """One section of the page."""
    section = re.search(rf"^## {title}\b.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, title
    return section[0]


def follow(section: str, copy: Path) -> list[str]:
    """Write every file that the section shows, and what it shows to be put into one; gives the files."""
    files = []
    for file, line, text in SHOWN.findall(section):
        path = copy / file
        if line:
            before = path.read_text("utf-8")
            assert before.count(f"\n{line}\n") == 1, f"{file} has no one line {line}"
            text = before.replace(f"\n{line}\n", f"\n{line}\n{text}")
        else:
            assert not path.exists(), f"{file} is there already"
        path.write_text(text, "utf-8")
        files.append(file)
    return files


def run(copy: Path, section: str, wanted: str, *more: str) -> str:
    """What the section's command that begins so prints, with more arguments at its end; it must succeed."""
    [command] = [one for one in COMMAND.findall(section) if one.startswith(wanted)]
    program = {"python": [], "tal-search": ["-m", "tal_search"]}
    name, *arguments = command.split()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(copy), str(copy / "dashboards")]),
        "OMP_NUM_THREADS": "1",
        "BROWSER_PATH": "/bin/false",
    }
    done = subprocess.run(
        [sys.executable, *program[name], *arguments, *more], cwd=copy, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return " ".join(done.stdout.split())


def copied(folder: Path) -> Path:
    """The repository's code without its runs; compiled kernels come along."""
    for name in ("tal_search", "dashboards", "studies", "datasets", "tests"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the method of the recipe and its finished study."""
    copy, section = copied(tmp_path_factory.mktemp("copy")), recipe("A method")
    assert len(follow(section, copy)) == 2, "one file and one YAML"
    make_dataset(copy / "data" / "thumos14", train=12, test=6)
    shown = run(copy, section, "python -m tal_search.run", *SMALL, "dataset.snippets=40")
    assert "without the background loss" in shown
    return copy


def test_a_method_of_one_file_and_one_yaml_is_a_row_of_the_studys_table(extended: Path) -> None:
    table = pd.read_csv(extended / "runs" / "attention_pooling" / "cases.csv").set_index("case")
    assert list(table.index) == ["BaS-Net", "attention pooling", "without the background loss"]
    assert table["n"].tolist() == [1, 1, 1]
    assert table.loc["attention pooling", "mAP@0.3"] > 30, "it has learnt"
    settings = [json.loads(path.read_text()) for path in (extended / "runs" / "trials").glob("*/spec.json")]
    mine = [spec["hyperparameters"] for spec in settings if spec["method"] == "attention_pooling"]
    assert sorted(one["background_weight"] for one in mine) == [0.0, 0.1]


def test_the_recipes_method_keeps_every_promise_of_a_method(extended: Path) -> None:
    shown = run(extended, recipe("A method"), "python -m pytest", "-q")
    assert re.search(r"\b[89] passed", shown), shown


def test_a_figure_is_one_file_whose_numbers_are_exported_and_drawn_on_the_page(extended: Path) -> None:
    section = recipe("A figure")
    follow(section, extended)
    run(extended, section, "tal-search export")
    table = pd.read_csv(extended / "figures" / "tables" / "strictness-mAP-by-threshold.csv").set_index("cell")
    cases = pd.read_csv(extended / "runs" / "attention_pooling" / "cases.csv").set_index("case")
    assert set(table.index) == set(cases.index)
    assert table["mAP@0.3"].to_dict() == pytest.approx(cases["mAP@0.3"].to_dict())
    page = (extended / "figures" / "index.html").read_text("utf-8")
    assert "<figure" in page.partition(">Strictness</h2>")[2].partition("<h2>")[0]
    spec = importlib.util.spec_from_file_location(
        "strictness", extended / "dashboards" / "tal_dashboards" / "views" / "strictness.py"
    )
    assert spec is not None
    assert spec.loader is not None
    view = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(view)
    shown = str(view.layout(StudyReader(extended / "runs", "attention_pooling")(), {}))
    assert "strictness-graph" in shown
    assert "strictness-table" in shown


def test_what_the_recipes_show_is_written_as_the_rest_of_the_code(tmp_path: Path) -> None:
    files = []
    for number, (file, line, text) in enumerate(SHOWN.findall(PAGE)):
        if file.endswith(".py") and not line:
            files.append(tmp_path / f"shown_{number}.py")
            files[-1].write_text(text, "utf-8")
    assert len(files) == 2
    for check in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--config", ROOT / "pyproject.toml", *files]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_dataset_is_one_yaml(tmp_path: Path) -> None:
    copy, section = copied(tmp_path / "copy"), recipe("A dataset")
    assert follow(section, copy) == ["datasets/mydata.yaml"]
    write_dataset(copy / "data" / "mydata")
    shown = run(copy, section, "tal-search data check")
    assert "training: 4 videos of 200 published" in shown
    shown = run(copy, section, "python -m tal_search.run study=thumos_single", *SMALL, "hyperparameters.steps=40")
    assert "Preset: generic. By rule: T = 50 " in shown
    assert "sfnet steps=500" in shown
    [spec] = (json.loads(path.read_text()) for path in (copy / "runs" / "trials").glob("*/spec.json"))
    assert (spec["dataset"]["snippets"], spec["hyperparameters"]["steps"]) == (50, 40)
    assert spec["protocol"]["tiou"] == [0.3, 0.4, 0.5, 0.6, 0.7]
    shown = run(copy, section, "python -m tal_search.run study=method_comparison", "--preview")
    assert re.search(r"Preset: generic\. By rule: T = 50 \(.*; asl width=32, ", shown), shown


def write_dataset(folder: Path) -> None:
    """Videos of 40 s in the layout that the page describes, with clicks of both kinds."""
    generator, database, background, action = np.random.default_rng(0), {}, {}, []
    folder.mkdir(parents=True)
    for number in range(6):
        name, label = f"video{number}", ("pour", "stir", "cut")[number % 3]
        features_TD = generator.normal(0, 0.2, (40, 8)).astype(np.float32)
        features_TD[5:12, number % 3] += 2
        np.save(folder / f"{name}.npy", features_TD)
        subset = "training" if number < 4 else "test"
        instance = {"label": label, "segment": [5.0, 12.0]}
        database[name] = {"subset": subset, "duration": 40.0, "fps": 16, "annotations": [instance]}
        if subset == "training":
            background[name] = [2.5, 31.0]
            action.append(f"{name},8.5,{label}\n")
    (folder / "gt_mydata.json").write_text(json.dumps({"database": database}))
    (folder / "clicks_background_A1.json").write_text(json.dumps(background))
    (folder / "clicks_action_A1.txt").write_text("".join(action))
