"""The clicks command: statistics of each file, and all problems of all files at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main


def test_each_file_has_its_counts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(root / f"clicks_background_{annotator}.txt") for annotator in ("A1", "A2")]
    assert main(["clicks", "stats", *files, f"ground_truth={root / 'gt_thumos14.json'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{files[0]}: 12 background clicks in 4 of 4 videos, 4.34 per minute of 2.8 min"
    assert lines[1] == "  inside an instance: 0 (0.0 %)"
    assert lines[4].startswith(f"{files[1]}: 4 background clicks in 4 of 4 videos")
    assert len(lines) == 8


def test_problems_of_all_files_come_at_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "broken.txt").write_text("no clicks\n")
    assert main(["clicks", "stats", str(root / "broken.txt"), str(root / "absent.txt")]) == 2
    error = capsys.readouterr().err
    assert "broken.txt" in error
    assert "absent.txt" in error


def test_only_stats_is_an_action(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clicks", "statistics", "x.csv"]) == 2
    assert "'statistics' is unknown; write `tal-search clicks stats FILE ...`" in capsys.readouterr().err
