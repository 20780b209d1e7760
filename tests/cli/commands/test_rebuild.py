"""The rebuild command refuses wrong arguments before it looks for a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main


def test_problems_of_the_arguments_and_of_the_study_come_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rebuild", "study=quickstart", "tracking.ury=x", "--force", f"runs={tmp_path / 'runs'}"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "'--force' is unknown" in first
    assert "tracking.ury is unknown; did you mean 'uri'?" in second
    assert not (tmp_path / "runs").exists()
