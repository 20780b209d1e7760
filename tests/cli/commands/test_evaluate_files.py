"""The evaluate command on detection files: JSON and tables, a comparison, an error profile, wrong keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from tal_search.cli.main import main
from tal_search.cli.score_tables import scores_table
from tests.support.scored_files import evaluate_file, evaluated


def test_scores_as_json_and_as_a_table(tmp_path: Path) -> None:
    scores = evaluate_file(*evaluated(tmp_path), "test", (0.3, 0.5))
    assert scores.to_json() == {
        "protocol": "activitynet",
        "subset": "test",
        "video_set": "1 videos",
        "videos": 1,
        "instances": 1,
        "ambiguous": 0,
        "detections": 1,
        "tiou": [0.3, 0.5],
        "mAP": [1.0, 1.0],
        "average_mAP": 1.0,
        "per_class": {"run": [1.0, 1.0]},
    }
    console = Console(width=80)
    with console.capture() as capture:
        console.print(scores_table(scores))
    text = capture.get()
    assert "activitynet protocol, subset test 1 videos, 1 instances, 1 detections" in " ".join(text.split())
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["tIoU"] == ["0.3", "0.5", "average"]
    assert lines["run"] == lines["mAP"] == ["100.00", "100.00", "100.00"]


def command(found: Path, truth: Path, *more: str) -> list[str]:
    return ["evaluate", f"detections={found}", f"ground_truth={truth}", "subset=test", *more]


def test_a_comparison_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One video, one right detection against one that is half of it: every draw is the same."""
    found, truth = evaluated(tmp_path)
    other = tmp_path / "other.json"
    other.write_text(found.read_text().replace("10.0", "5.0"))
    arguments = command(found, truth, "tiou=0.5,0.7", f"compare={other}", f"out={tmp_path / 'scores.json'}")
    assert main(arguments) == 0
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["mAP"] == [1.0, 1.0]
    compared = content["comparison"]
    assert compared["other"] == str(other)
    columns = ("tiou", "other_mAP", "difference", "low", "high")
    assert [tuple(row[name] for name in columns) for row in compared["rows"]] == [
        ("0.5", 1.0, 0.0, 0.0, 0.0), ("0.7", 0.0, 1.0, 1.0, 1.0), ("average", 0.5, 0.5, 0.5, 0.5),
    ]  # fmt: skip
    out = capsys.readouterr().out
    assert "mAP in % compared with other.json" in out
    assert ["average", "100.00", "50.00", "+50.00", "+50.00", "+50.00"] in [line.split() for line in out.splitlines()]


def test_an_error_profile_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    found, truth = evaluated(tmp_path)
    content = json.loads(found.read_text())
    content["results"]["v1"].append({"label": "run", "score": 2.0, "segment": [50.0, 60.0]})
    found.write_text(json.dumps(content))
    assert main(command(found, truth, f"errors={tmp_path / 'errors.json'}")) == 0
    profile = json.loads((tmp_path / "errors.json").read_text())
    assert profile["counts"]["background"] == profile["counts"]["true positive"] == 1
    assert profile["gain"]["background"] == 0.5
    assert profile["top"][0]["precision"] == 0.0  # the best G = 1 detections
    assert profile["top"][1]["false_positive_shares"]["background"] == 1.0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["background", *["100.0"] * 10, "+50.00"] in lines
    assert ["length", "M", "6", "to", "12", "1", "50.0", "0.0"] in lines


def test_ambiguous_instances_and_duplicates_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, truth = evaluated(tmp_path)
    content = json.loads(truth.read_text())
    content["database"]["v1"]["annotations"] *= 2
    truth.write_text(json.dumps(content))
    unclear = tmp_path / "unclear.txt"
    unclear.write_text("v1 4 6\nelsewhere 1 2\n")
    out = tmp_path / "scores.json"
    for keys, expected in (
        ((), (2, 0, 0.5)),
        (("duplicates=drop",), (1, 0, 1.0)),
        (("protocol=thumos14", f"ambiguous={unclear}", "duplicates=keep"), (2, 1, 0.5)),
    ):
        assert main(command(found, truth, "tiou=0.5", f"out={out}", *keys)) == 0
        scores = json.loads(out.read_text())
        assert (scores["instances"], scores["ambiguous"], scores["mAP"][0]) == expected
    assert "2 instances, 1 ambiguous, 1 detections" in capsys.readouterr().out


def test_every_wrong_key_is_said_before_a_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "unknown=drop", "duplicates=once", "videos=all", "errors=errors.csv", "protocol=thumos", "tiou=0,0.5,2"
    assert main(command(tmp_path / "none", tmp_path / "none", *wrong)) == 2
    assert capsys.readouterr().err.splitlines() == [
        "command line: unknown=drop is not one of error, ignore, count",
        "command line: duplicates=once is not one of keep, drop",
        "command line: videos=all is not a positive whole number",
        "command line: errors=errors.csv must end in .json or .parquet",
        "command line: protocol=thumos is not one of activitynet, thumos14; did you mean 'thumos14'?",
        "command line: tiou=0,0.5,2: 0 is outside (0, 1]; give a fraction",
        "command line: tiou=0,0.5,2: 2 is outside (0, 1]; give a fraction",
    ]
    files = "checkpoint=none", "data=none", "ground_truth=none", "subset=test"
    assert main(["evaluate", *files, "variant=papr", "snippets=x"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "command line: variant=papr is not one of paper, release; did you mean 'paper'?",
        "command line: snippets=x is not a positive whole number",
    ]


def test_problems_of_the_rules_and_of_every_file_come_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, truth = evaluated(tmp_path)
    none = tmp_path / "none.json"
    assert main(command(found, truth, f"ambiguous={none}", "videos=210", f"compare={none}")) == 2
    protocol, videos, compared = capsys.readouterr().err.splitlines()
    assert protocol.startswith("protocol=activitynet knows no ambiguous instances")
    assert videos.startswith("videos=210 needs the 210 THUMOS14 test videos that are in every set")
    assert compared.startswith(f"{none}: cannot be read")


@pytest.mark.parametrize("key", ["out", "errors"])
@pytest.mark.parametrize("name", ["truth.json", "found.json", "other.json", "unclear.json", "folder.json"])
def test_no_file_that_is_read_is_written_over(
    key: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, truth = evaluated(tmp_path)
    for copy in ("other.json", "unclear.json"):
        (tmp_path / copy).write_bytes(found.read_bytes())
    (tmp_path / "folder.json").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    more = f"compare={tmp_path / 'other.json'}", f"ambiguous={tmp_path / 'unclear.json'}", "protocol=thumos14"
    assert main(command(found, truth, *more, f"{key}={tmp_path / name}")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"command line: {key}={tmp_path / name} is ")
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
