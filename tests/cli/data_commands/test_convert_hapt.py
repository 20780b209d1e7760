"""data convert-hapt: what it prints, and arguments that mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main
from tests.support.hapt_files import made_up


def test_it_prints_what_was_written_and_the_next_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = made_up(tmp_path / "RawData"), tmp_path / "out"
    assert main(["data", "convert-hapt", str(raw), f"out={out}", "features=statistics", "sequences=windows"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "training: 2 recordings of 2 people, 6 sequences, 5.0 min, 14 instances"
    assert said[1].startswith("test: 1 recording of 1 person, ")
    assert said[2] == f"Written to {out}. Next:"
    assert said[3] == f"  tal-search data check {out} name=hapt"
    assert main(["data", "check", str(out), "name=hapt", "stride=25", "offset=25", "fps=50"]) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "takes one folder, RawData of the download, not none"),
        (["RawData"], "out= is missing; give the new folder"),
        (["RawData", "out=x", "features=fft"], "features=fft is not one of raw, statistics"),
        (["RawData", "out=x", "sequences=clip"], "did you mean 'clips'?"),
        (["RawData", "out=x", "folds=5/5"], "folds=5/5 is no split; give official, or K/N"),
        (["RawData", "out=x", "folds=0/1"], "folds=0/1 is no split"),
        (["RawData", "out=x", "folds=1"], "folds=1 is no split"),
        (["nowhere", "out=x"], "nowhere does not exist; give the folder RawData"),
    ],
)
def test_arguments_that_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "convert-hapt", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
