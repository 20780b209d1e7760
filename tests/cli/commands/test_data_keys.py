"""The data command with the keys of a study: folds and clickers, as `run` reads them and with what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.data.find import check
from tests.support.make_dataset import found
from tests.support.subjects import with_folds

BY = r"(\d)$"  # the last digit of a name: subjects 0 to 3, of which 0, 1 and 2 have videos in both splits
FOLDS = f"folds={{by: '{BY}', of: 2}}"
NOTE = (
    "folds: 2 over 4 subjects; a fold tests 3 to 4 of 7 videos and 6 to 8 of 14 instances; "
    "3 of them have videos in both splits (0, 1, 2)"
)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    code = main(["data", *arguments])
    found = capsys.readouterr()
    return code, found.out.splitlines(), found.err.splitlines()


@pytest.mark.parametrize("keys", [[FOLDS], [f"dataset.{FOLDS}"], [f"folds.by={BY}", "dataset.folds.of=2"]])
def test_folds_are_described_as_a_run_does(root: Path, capsys: pytest.CaptureFixture[str], keys: list[str]) -> None:
    for path in root.glob("clicks_*"):
        path.unlink()
    code, out, _ = said(capsys, "check", str(root), *keys)
    assert code == 0
    assert ", 7 videos in 2 folds over 4 subjects; layout " in out[0]
    assert "training and" not in out[0], "no fit has the two splits"
    assert NOTE in out
    assert NOTE in check(with_folds(found(root), 2, None, BY), (), ())


def test_clicks_are_drawn_on_the_videos_of_all_folds_and_once_an_instance(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clickers = "dataset.clickers={action: uniform, annotators: 1}"
    _, out, _ = said(capsys, "check", str(root), clickers)
    assert any(line.startswith("action clicks of S1 (simulated, uniform): 8 in 4 videos") for line in out)
    for path in root.glob("clicks_*"):
        path.unlink()
    _, out, _ = said(capsys, "check", str(root), clickers, FOLDS)
    assert any(line.startswith("action clicks of S1 (simulated, uniform): 14 in 7 videos") for line in out)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["folds={by: 'x', of: 2}"], "finds no subject in the names of 7 of 7 videos"),
        ([f"folds.by={BY}", "folds.of=9"], "dataset.folds.by finds only 4 subjects"),
        (["folds.off=2"], "dataset.folds.off is unknown"),
        (["clickers.background=often"], "it must be one of uniform, gaussian, human"),
        (["clickers.annotators=2"], "names no kind of clicks"),
        (["clickers=2"], "it must be a mapping"),
    ],
)
def test_wrong_folds_and_clickers_are_said_as_of_a_study(
    root: Path, capsys: pytest.CaptureFixture[str], keys: list[str], says: str
) -> None:
    code, _, errors = said(capsys, "check", str(root), *keys)
    assert code == 2
    assert any(says in error for error in errors)
    assert all(error.startswith("command line: ") for error in errors)


def test_a_conversion_takes_neither(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = said(capsys, "convert", str(root), f"out={tmp_path / 'out'}", FOLDS)
    assert code == 2
    assert "folds is unknown" in errors[0]
