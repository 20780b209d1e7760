"""The export command: required arguments, and a study that was not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main


def test_a_study_and_a_folder_are_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "runs=x"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"command line: {key}= is missing; write export study=NAME out=FOLDER" for key in ("study", "out")
    ]


def test_a_study_that_was_not_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "study=quickstart", f"out={tmp_path / 'out'}", f"runs={tmp_path}"]) == 2
    assert "has no record of a study quickstart" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
