"""A set that no code knows, in ActionFormer's layout with other classes: three commands from folder to score."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tests.support.own_dataset import make_own


@pytest.mark.slow
def test_three_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    make_own(tmp_path / "moves")
    assert main(["data", "init", "moves"]) == 0
    check, run = (
        shlex.split(line)[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("  tal-search")
    )
    assert main(check) == 0
    few = ["hyperparameters.epochs=2", "resources.cpus_per_trial=1"]
    assert main([*run, *few]) == 0
    assert "snippet i at (8·i + 16)/30 s" in capsys.readouterr().out
