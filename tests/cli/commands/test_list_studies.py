"""The list command: descriptions and origins of studies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.study import list_studies, load_study
from tests.support.paths import ROOT, STUDIES


def test_list_describes_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    studies, datasets = (sorted(path.stem for path in folder.glob("*.yaml")) for folder in (STUDIES, ROOT / "datasets"))
    assert [line.split()[0] for line in lines] == ["studies:", *studies, "datasets:", *datasets]
    assert all(len(line.split()) > 4 for line in lines if not line.endswith("s:"))


def test_a_list_that_is_read_in_part_ends_without_a_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run([sys.executable, "-m", "tal_search", "list"], stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_study_of_the_working_folder_comes_before_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {study.origin for study in list_studies()} == {"repository"}
    (tmp_path / "studies").mkdir()
    for name in ("quickstart", "mine"):
        (tmp_path / "studies" / f"{name}.yaml").write_text("description: my own\nhyperparameters: {epochs: 3}\n")
    assert main(["list"]) == 0
    listed = {line.split()[0]: line.split(maxsplit=2)[1:] for line in capsys.readouterr().out.splitlines()}
    assert listed["mine"] == ["./studies", "my own"]
    assert listed["quickstart"] == ["./studies", "my own (instead of the one from repository)"]
    assert listed["thumos_grid"][0] == "repository"
    assert load_study("quickstart", []).hyperparameters == {"epochs": 3}
    assert main(["--list"]) == main(["run", "--list"]) == 0


def test_a_dataset_of_the_working_folder_comes_before_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").mkdir()
    for name in ("gtea", "mine", "not a name"):
        (tmp_path / "datasets" / f"{name}.yaml").write_text("description: my own\n")
    (tmp_path / "datasets" / "folder.yaml").mkdir()
    (tmp_path / "datasets" / "nothing.yaml").symlink_to(tmp_path / "absent")
    assert main(["list"]) == 0
    listed = {line.split()[0]: line.split(maxsplit=2)[1:] for line in capsys.readouterr().out.splitlines()}
    assert listed["mine"] == ["./datasets", "my own"]
    assert listed["gtea"] == ["./datasets", "my own (instead of the one from repository)"]
    assert listed["beoid"][0] == "repository"
    assert listed["folder"] == listed["nothing"] == ["./datasets", "cannot be read"]
    assert "not" not in listed


def test_a_problem_names_the_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "mine.yaml").write_text("serach: {}\n")
    assert main(["run", "study=mine"]) == 2
    assert capsys.readouterr().err.startswith("studies/mine.yaml:1: serach is unknown; did you mean 'search'?")
    wanted = load_study("quickstart", []).place("search.axes.lambda_sep")
    assert wanted.partition(":")[0] == str(ROOT / "studies" / "quickstart.yaml")
    forked = load_study("quickstart", ["study.fork=other"])
    assert forked.place("tracking.uri") == str(ROOT / "studies" / "quickstart.yaml")
