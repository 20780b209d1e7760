"""The evaluate command: the released checkpoint's scores, and checkpoints that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tal_search.cli.main import main
from tal_search.types import PROTOCOLS
from tests.support.definitions import THUMOS14
from tests.support.golden_files import KEPT
from tests.support.paths import FIXTURES


def test_released_checkpoint_reproduces_the_expected_scores(shared: Path, tmp_path: Path) -> None:
    expected = json.loads((KEPT / "expected.json").read_text())
    code = main(
        [
            "evaluate",
            f"checkpoint={KEPT / 'release_small.pth'}",
            f"data={shared / 'data' / 'thumos14_evidence'}",
            f"ground_truth={shared / 'data' / 'thumos14' / 'gt_thumos14.json'}",
            "subset=test",
            "variant=release",
            f"detections_out={tmp_path / 'detections.json'}",
            f"out={tmp_path / 'scores.json'}",
        ]
    )
    assert code == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["detections"] == pytest.approx(expected["detections"], rel=0.005)
    ours = dict(zip((f"{tiou:g}" for tiou in scores["tiou"]), scores["mAP"], strict=True))
    assert ours == pytest.approx(expected["mAP"], abs=0.001)
    assert scores["average_mAP"] == pytest.approx(expected["average_mAP"], abs=0.001)

    require_golden_detections(tmp_path / "detections.json")

    again = ["evaluate", f"detections={tmp_path / 'detections.json'}", "subset=test", f"out={tmp_path / 'again.json'}"]
    assert main([*again, f"ground_truth={shared / 'data' / 'thumos14' / 'gt_thumos14.json'}"]) == 0
    assert json.loads((tmp_path / "again.json").read_text()) == scores


def require_golden_detections(file: Path) -> None:
    """Of the twelve videos the same detections as the released code's, times and scores to 1e-4."""
    reference = json.loads((KEPT / "expected_detections_12_videos.json").read_text())["results"]
    found = json.loads(file.read_text())["results"]
    assert len(reference) == 12
    for video, rows in reference.items():
        theirs = sorted((row["label"], *row["segment"], row["score"]) for row in rows)
        mine = sorted((row["label"], *row["segment"], row["score"]) for row in found.get(video, []))
        assert [row[0] for row in mine] == [row[0] for row in theirs]
        assert [x for row in mine for x in row[1:]] == pytest.approx([x for row in theirs for x in row[1:]], abs=1e-4)


def test_released_checkpoint_gives_the_golden_detections_of_twelve_videos(tmp_path: Path) -> None:
    """And their scores as a detection file, under both protocols."""
    content = json.loads((FIXTURES / "thumos14/gt_hrpro.json").read_text())
    kept = {path.stem for path in (FIXTURES / "thumos14_evidence/test").glob("*.npz")}
    database = {name: {**entry, "subset": "test"} for name, entry in content["database"].items() if name in kept}
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"database": database, "activity_list": THUMOS14}))
    scored = f"ground_truth={truth}", "subset=test"
    for protocol in PROTOCOLS:
        files = f"checkpoint={KEPT / 'release_small.pth'}", f"data={FIXTURES / 'thumos14_evidence'}", "variant=release"
        out = f"detections_out={tmp_path / 'detections.json'}", f"out={tmp_path / 'scores.json'}"
        assert main(["evaluate", *files, *scored, *out, f"protocol={protocol}"]) == 0
        require_golden_detections(tmp_path / "detections.json")
        again = f"detections={KEPT / 'expected_detections_12_videos.json'}", f"out={tmp_path / 'again.json'}"
        assert main(["evaluate", *again, *scored, f"protocol={protocol}"]) == 0
        ours, theirs = (json.loads((tmp_path / name).read_text()) for name in ("scores.json", "again.json"))
        assert ours["detections"] == theirs["detections"] == 166
        assert ours["mAP"] == pytest.approx(theirs["mAP"], abs=1e-3)


def truth_file(folder: Path) -> Path:
    database = {"v": {"subset": "test", "duration": 10.0, "annotations": [{"segment": [1, 2], "label": "a"}]}}
    path = folder / "truth.json"
    path.write_text(json.dumps({"database": database}))
    return path


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not a checkpoint", "cannot be loaded"),
        (b"v_1 1.0 2.0", "cannot be loaded"),
        (b"h\x05.", "cannot be loaded"),
        (b"0", "cannot be loaded"),
        ({"epoch": 1}, "has no state_dict"),
        ({"state_dict": {"layer.weight": torch.zeros(1)}}, "not a BackTAL network"),
    ],
)
def test_bad_checkpoints_are_one_sentence(
    content: bytes | dict[str, object], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    out = tmp_path / "scores.json"
    arguments = [f"checkpoint={path}", f"data={tmp_path}", f"ground_truth={truth_file(tmp_path)}", "subset=test"]
    assert main(["evaluate", *arguments, f"out={out}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sentence in error
    assert str(path) in error
    assert not out.exists()


def test_a_pickled_checkpoint_is_never_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker = tmp_path / "executed"
    path = tmp_path / "checkpoint.pth"
    torch.save({"state_dict": _Touch(marker)}, path)
    arguments = [f"checkpoint={path}", f"data={tmp_path}", f"ground_truth={truth_file(tmp_path)}", "subset=test"]
    assert main(["evaluate", *arguments]) == 2
    assert "cannot be loaded" in capsys.readouterr().err
    assert not marker.exists()


class _Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)
