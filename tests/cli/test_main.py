"""The command line as a whole: bad arguments, the version, and which imports it does without."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tests.support.paths import ROOT
from tests.support.waiting import DEADLINE


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["rum"], ["'rum' is not a command; did you mean 'run'?"]),
        (["run", "study=thumos_gird"], ["did you mean 'thumos_grid'?"]),
        (["run", "study=quickstart", "--previw"], ["'--previw' is unknown; did you mean '--preview'?"]),
        (["run", "dataset.root=x"], ["name one study"]),
        (
            [
                "run",
                "study=quickstart",
                "search.trails=3",
                "hyperparameters.kernel_size=4",
                "hyperparameters.k_ratio=2",
            ],
            ["search.trails is unknown", "must be odd", "must be at most 1"],
        ),
        (["run", "study=quickstart", "search.repeats.annotators=[B7]"], ["'B7'", "A1, A2, A3"]),
        (["evaluate", "detections=x.json", "subest=test"], ["did you mean 'subset'?", "ground_truth= is missing"]),
        (["evaluate", "detections=no.json", "ground_truth=no.json", "subset=test"], ["no.json"]),
        (["evaluate", "detections=a", "ground_truth=b", "subset=c", "unknown=drop"], ["unknown=drop is not one of"]),
    ],
)
def test_bad_arguments(
    arguments: list[str],
    sentences: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    for sentence in sentences:
        assert sentence in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["tal_search", "--help"],
        ["tal_search", "--version"],
        ["tal_search", "status", "--help"],
        ["tal_search", "list"],
        ["tal_search", "status", "runs=none"],
        ["tal_search.run", "--help"],
        ["tal_search.run", "--list"],
        ["tal_search.run", "study=thumos_grid", "--preview"],
    ],
)
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """In a folder where nothing was run: a preview reads results that there are."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = {arguments!r}\n"
        f"try: runpy.run_module({arguments[0]!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = {'torch', 'ray', 'mlflow', 'optuna', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=DEADLINE, cwd=tmp_path)


def test_the_version_is_that_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tal-search {metadata.version('tal-search')}\n"

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert main(["--version"]) == 0
    (project,) = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version = ")]
    assert capsys.readouterr().out == f"tal-search {project.split(chr(34))[1]}\n"
