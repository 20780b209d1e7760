"""Conversion of HAPT: equal to the real features where they can be rebuilt, whole or not there at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.hapt.conversion import STANDARDIZED, convert_hapt
from tal_search.data.hapt.raw_files import read_recordings
from tal_search.data.hapt.sequences import CUT
from tal_search.data.hapt.windows import statistics
from tal_search.errors import InputError
from tests.support.hapt_files import made_up, rebuilt

REAL = ("exp01_user01", "exp03_user02", "exp20_user10")


def test_real_recordings_written_again_give_the_real_features_and_truth(shared: Path, tmp_path: Path) -> None:
    real = shared / "data" / "hapt" / "raw-whole"
    convert_hapt(rebuilt(tmp_path / "RawData", real, REAL), tmp_path / "out", "raw", "whole", None, [])
    for video in REAL:
        ours, theirs = (np.load(folder / f"{video}.npy") for folder in (tmp_path / "out", real))
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    ours, theirs = (json.loads((folder / "gt_hapt.json").read_text()) for folder in (tmp_path / "out", real))
    assert ours["version"] == theirs["version"]
    assert "made_for_split" not in ours, "each sequence is made by itself, so folds over all people are clean"
    assert ours["database"] == {video: theirs["database"][video] for video in REAL}


def test_real_windows_have_the_real_truth(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "hapt"
    raw = rebuilt(tmp_path / "RawData", folder / "raw-whole", REAL)
    convert_hapt(raw, tmp_path / "out", "statistics", "windows", None, [])
    theirs = json.loads((folder / "stats-windows" / "gt_hapt.json").read_text())["database"]
    ours = json.loads((tmp_path / "out" / "gt_hapt.json").read_text())["database"]
    assert ours == {video: entry for video, entry in theirs.items() if video.startswith(REAL)}
    shapes = [
        np.load(at / f"{video}.npy").shape for video in ours for at in (tmp_path / "out", folder / "stats-windows")
    ]
    assert shapes[::2] == shapes[1::2]


@pytest.mark.parametrize(
    ("features", "kind", "said"),
    [("statistics", "windows", [STANDARDIZED, CUT]), ("statistics", "clips", [STANDARDIZED]), ("raw", "windows", [CUT]),
     ("raw", "whole", None)],
)  # fmt: skip
def test_the_truth_says_what_was_made_for_its_split(
    tmp_path: Path, features: str, kind: str, said: list[str] | None
) -> None:
    convert_hapt(made_up(tmp_path / "RawData"), tmp_path / "out", features, kind, (1, 3), [])
    assert json.loads((tmp_path / "out" / "gt_hapt.json").read_text()).get("made_for_split") == said


def test_statistics_are_standardized_by_the_training_sequences_alone(tmp_path: Path) -> None:
    raw = made_up(tmp_path / "RawData")
    written = convert_hapt(raw, tmp_path / "out", "statistics", "whole", (1, 3), [])
    assert [sequence.subset for sequence in written] == ["training", "test", "training"]
    plain = [statistics(one.acceleration, one.angular_velocity) for one in read_recordings(raw, [])]
    train = np.concatenate([plain[0], plain[2]]).astype(float)
    for sequence, rows in zip(written, plain, strict=True):
        stored = np.load(tmp_path / "out" / f"{sequence.name}.npy")
        assert stored.dtype == np.float32
        np.testing.assert_allclose(stored, (rows - train.mean(0)) / train.std(0), rtol=1e-3, atol=1e-3)


def test_nothing_is_written_where_anything_is_wrong(tmp_path: Path) -> None:
    raw, out = made_up(tmp_path / "RawData"), tmp_path / "out"
    (raw / "gyro_exp01_user01.txt").unlink()
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError) as raised:
        convert_hapt(raw, out, "raw", "whole", None, [])
    taken, lacking = raised.value.problems
    assert "exists and is not empty" in taken
    assert "without gyro" in lacking
    assert sorted(path.name for path in tmp_path.rglob("*") if path.parent != raw) == ["RawData", "mine.txt", "out"]


def test_a_set_without_training_people_is_refused_or_noted(tmp_path: Path) -> None:
    raw, notes = made_up(tmp_path / "RawData", people=(2, 4), seconds=20), list[str]()
    with pytest.raises(InputError, match="no recording of a training person"):
        convert_hapt(raw, tmp_path / "out", "statistics", "whole", None, [])
    convert_hapt(raw, tmp_path / "out", "raw", "whole", None, notes)
    assert "no recording is of a training person" in notes[0]


def test_a_dead_sensor_is_noted_where_it_is_read(tmp_path: Path) -> None:
    raw, notes = made_up(tmp_path / "RawData"), list[str]()
    file = raw / "gyro_exp01_user01.txt"
    file.write_text("0 0 0\n" * len(file.read_text().splitlines()))
    convert_hapt(raw, tmp_path / "raw", "raw", "whole", None, notes)
    assert not any("sensor" in note for note in notes)
    convert_hapt(raw, tmp_path / "statistics", "statistics", "whole", (1, 3), notes)
    assert notes[-1].endswith(
        "1 file with one value from beginning to end (gyro_exp01_user01.txt); was the sensor off? Fetch it again"
    )


@pytest.mark.parametrize("inside", ["new", "."])
def test_nothing_is_written_into_the_download(tmp_path: Path, inside: str) -> None:
    raw = made_up(tmp_path / "RawData")
    before = sorted(raw.iterdir())
    with pytest.raises(InputError):
        convert_hapt(raw, raw / inside, "raw", "whole", None, [])
    assert sorted(raw.iterdir()) == before


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    raw = made_up(tmp_path / "RawData")
    (raw / "acc_exp01_user01.txt").write_text("")
    with pytest.raises(InputError, match=r"acc_exp01_user01\.txt is empty"):
        convert_hapt(raw, tmp_path / "out", "raw", "whole", None, [])
