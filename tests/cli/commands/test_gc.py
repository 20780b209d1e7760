"""The gc command: it lists, and removes with --yes only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main


def test_a_folder_that_no_study_refers_to_is_listed_and_then_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "trials" / "0123456789abcdef0123"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text("{}")
    assert main(["gc", f"runs={tmp_path}"]) == 0
    listed, sentence = capsys.readouterr().out.splitlines()
    assert listed.startswith(folder.name)
    assert sentence.startswith("1 folder, ")
    assert sentence.endswith(" that no study refers to. Nothing is removed; add --yes to remove them.")
    assert folder.exists()
    assert main(["gc", f"runs={tmp_path}", "--yes"]) == 0
    assert "Removed 1 folder, " in capsys.readouterr().out
    assert not folder.exists()
    assert main(["gc", f"runs={tmp_path}"]) == 0
    assert capsys.readouterr().out == f"Nothing to remove in {tmp_path}.\n"


def test_a_folder_that_is_absent_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", f"runs={tmp_path / 'none'}"]) == 2
    assert "is not a folder; give the one that holds trials/" in capsys.readouterr().err
