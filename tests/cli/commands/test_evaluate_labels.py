"""The evaluate command on labels and instances that contradict each other, in ground truths and detections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tal_search.cli.main import main
from tests.support.definitions import THUMOS14

SAME = "labels that differ from a class only by case, separators or invisible characters are read as that class: "


def files(folder: Path, instances: list[Any], detections: list[Any], name: str = "truth.json") -> list[str]:
    """The command that scores detections (label, start, end) of one video of 40 s; the best has the first place."""
    truth, found = folder / name, folder / "found.json"
    items = [{"label": label, "segment": [start, end]} for label, start, end in instances]
    truth.write_text(json.dumps({"database": {"v": {"subset": "test", "duration": 40, "annotations": items}}}))
    rows = [
        {"label": label, "segment": [start, end], "score": 1 / (place + 1)}
        for place, (label, start, end) in enumerate(detections)
    ]
    found.write_text(json.dumps({"results": {"v": rows}}))
    out = folder / "scores.json"
    return ["evaluate", f"detections={found}", f"ground_truth={truth}", "subset=test", "tiou=0.5", f"out={out}"]


def scores(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return content


def test_labels_in_several_spellings_are_one_class_in_both_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = [("HighJump", 1, 2), ("highjump", 5, 6), ("High Jump", 8, 9), ("HighJump", 20, 21)]
    found = [("high-jump", 1, 2), ("HIGHJUMP", 5, 6), ("HighJump", 8, 9), ("High_Jump", 20, 21)]
    assert main(files(tmp_path, truth, found)) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert (
        first
        == f"{tmp_path}/truth.json: {SAME}'highjump' (1 instance) as 'HighJump', 'High Jump' (1 instance) as 'HighJump'"
    )
    assert second.startswith(f"{tmp_path}/found.json: {SAME}'high-jump' (1 detection) as 'HighJump', 'HIGHJUMP' (1 ")
    content = scores(tmp_path)
    assert (content["instances"], content["mAP"], content["per_class"]) == (4, [1.0], {"HighJump": [1.0]})


def test_background_is_refused_in_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, found = [("run", 1, 2), ("background", 5, 6)], [("run", 1, 2), ("background_background", 5, 6)]
    assert main(files(tmp_path, truth, found)) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "truth.json: labels that mean background, which is no class: 'background' (1 instance, " in sentence
    assert main(files(tmp_path, truth[:1], found)) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "found.json: labels that are no class of the ground truth: 'background_background' (1 detection)" in sentence
    assert not (tmp_path / "scores.json").exists()


@pytest.mark.parametrize("name", ["gt_thumos14.json", "truth.json"])
def test_a_known_dataset_is_recognised_and_another_name_allows_any_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    labels = THUMOS14[:2] if name.startswith("gt_") else THUMOS14
    truth = [*((label, 1, 2) for label in labels), ("HihgJump", 5, 6)]
    arguments = files(tmp_path, truth, [(labels[0], 1, 2)], name)
    assert main(arguments) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "labels that are no class of THUMOS14: 'HihgJump' (1 instance, first in database.v.annotations[" in sentence
    assert "; did you mean 'HighJump'?); " in sentence
    assert main([*arguments, "name=mine"]) == 0
    assert len(scores(tmp_path)["per_class"]) == len(labels) + 1


def test_ambiguous_in_another_spelling_is_ambiguous(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, found = [("run", 1, 2), ("AMBIGUOUS", 5, 6)], [("run", 5, 6), ("run", 1, 2)]
    assert main([*files(tmp_path, truth, found), "protocol=thumos14"]) == 0
    said = capsys.readouterr().out
    assert f"{SAME}'AMBIGUOUS' (1 instance) as 'Ambiguous'" in said
    assert "1 instance is labelled Ambiguous, which is not a class" in said
    content = scores(tmp_path)
    assert (content["instances"], content["ambiguous"], content["mAP"]) == (1, 1, [1.0])


def test_many_unknown_videos_and_labels_are_a_sentence_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = files(tmp_path, [("run", 1, 2)], [])
    row = {"segment": [1, 2], "score": 1}
    results = {f"x{number}": [{**row, "label": "run"}, {**row, "label": f"a{number}"}] for number in range(200)}
    (tmp_path / "found.json").write_text(json.dumps({"results": results}))
    assert main(arguments) == 2
    videos, labels = capsys.readouterr().err.splitlines()
    assert "has detections in 200 videos that are not among the 1 of the subset: 'x0' (2 detections), 'x1' (" in videos
    assert " and 195 more; remove them, or set unknown=ignore (drop) or unknown=count (false positives)" in videos
    assert "labels that are no class of the ground truth: 'a0' (1 detection), " in labels
    assert " and 180 more; remove them" in labels
    assert main([*arguments, "unknown=ignore"]) == 0


def test_instances_outside_their_video_are_named_with_what_scores_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = [("run", 1, 2), ("run", 41, 50), ("run", -5, 3), ("run", 30, 60), ("run", 7, 7), ("run", 1, 2)]
    assert main(files(tmp_path, truth, [("run", 1, 2)])) == 0
    notes = capsys.readouterr().out.splitlines()[:5]
    assert [note.removeprefix(f"{tmp_path}/truth.json: ").split(" in 1 video (v); ")[0] for note in notes] == [
        "1 instance has no length,",
        "1 instance lies wholly outside its video,",
        "1 instance lies partly outside its video, before 0 s,",
        "1 instance lies partly outside its video, after its end,",
        "1 instance repeats another exactly,",
    ]
    assert scores(tmp_path)["instances"] == 6
    assert main([*files(tmp_path, truth, [("run", 1, 2)]), "duplicates=drop"]) == 0
    assert "repeats another" not in capsys.readouterr().out


def test_detections_in_frames_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(files(tmp_path, [("Diving", 1, 2)], [("Diving", 30, 60), ("Diving", 300, 330)])) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 detections lies wholly outside its video (durations of the ground truth)" in text
