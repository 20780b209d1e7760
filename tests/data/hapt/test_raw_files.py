"""Reader of HAPT's sensor files: values as written, and every kind of damage named in one pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.hapt.raw_files import read_recordings
from tal_search.errors import InputError
from tests.support.hapt_files import made_up, write_recording


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return made_up(tmp_path / "RawData", seconds=30)


def problems_of(folder: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_recordings(folder, [])
    return "\n".join(raised.value.problems)


def test_samples_and_instances_are_those_of_the_files(raw: Path) -> None:
    notes: list[str] = []
    first, *others = read_recordings(raw, notes)
    assert (first.name, [other.user for other in others], notes) == ("exp01_user01", [2, 3], [])
    np.testing.assert_array_equal(first.acceleration, np.loadtxt(raw / "acc_exp01_user01.txt"))
    np.testing.assert_array_equal(first.angular_velocity, np.loadtxt(raw / "gyro_exp01_user01.txt"))
    assert [(one.start, one.end, one.label) for one in first.instances] == [(250, 1000, "walking")]


def test_a_sensor_that_is_longer_by_less_than_a_window_is_cut_with_a_note(raw: Path) -> None:
    append("gyro_exp01_user01.txt", "1 2 3\n" * 49)(raw)
    notes: list[str] = []
    recording = read_recordings(raw, notes)[0]
    assert len(recording.acceleration) == len(recording.angular_velocity) == 1507
    assert len(notes) == 1
    assert "acc_exp01_user01.txt has 1507 samples and gyro_exp01_user01.txt 1556; both are read up to" in notes[0]


def append(name: str, text: str) -> Callable[[Path], object]:
    def change(raw: Path) -> None:
        with (raw / name).open("a") as file:
            file.write(text)

    return change


DAMAGE = {
    "no gyro": (lambda raw: (raw / "gyro_exp01_user01.txt").unlink(), "with acc and without gyro (exp01_user01)"),
    "no acc": (lambda raw: (raw / "acc_exp02_user02.txt").unlink(), "with gyro and without acc (exp02_user02)"),
    "lengths": (append("acc_exp01_user01.txt", "1 2 3\n" * 50), "has 1557 samples and gyro_exp01_user01.txt 1507"),
    "four numbers": (append("acc_exp01_user01.txt", "1 2 3 4\n"), "1 of 1508 lines is not 3 numbers up to 1000"),
    "a word": (append("acc_exp01_user01.txt", "1 2 x\n"), "(line 1508: '1 2 x')"),
    "NaN": (append("acc_exp01_user01.txt", "1 2 nan\n"), "(line 1508: '1 2 nan')"),
    "too large": (append("acc_exp01_user01.txt", "1 2 1e4\n"), "(line 1508: '1 2 1e4')"),
    "a blank line": (append("acc_exp01_user01.txt", "\n1 2 3\n"), "1 of 1509 lines is not"),
    "bytes": (lambda raw: (raw / "acc_exp01_user01.txt").write_bytes(b"\x80\xff"), "is not a text of numbers"),
    "empty": (lambda raw: (raw / "acc_exp01_user01.txt").write_text(""), "acc_exp01_user01.txt is empty"),
    "short": (lambda raw: write_recording(raw, 1, 1, *np.zeros((2, 49, 3))), "has 49 samples, less than a window"),
    "a folder": (lambda raw: (raw / "acc_exp04_user04.txt").mkdir(), "with acc and without gyro (exp04_user04)"),
    "two users": (lambda raw: write_recording(raw, 1, 9, *np.zeros((2, 60, 3))), "of several users"),
    "no labels": (lambda raw: (raw / "labels.txt").unlink(), "labels.txt: cannot be read (No such file or directory)"),
    "twice": (lambda raw: (raw / "acc_exp1_user1.txt").write_text("1 2 3"), "are of one recording; keep one"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_with_its_place(raw: Path, case: str) -> None:
    harm, says = DAMAGE[case]
    harm(raw)
    assert says in problems_of(raw)


def test_all_problems_come_in_one_pass_and_alike_ones_are_counted(raw: Path) -> None:
    for user in (1, 2):
        append(f"acc_exp0{user}_user0{user}.txt", "x\n")(raw)
    (raw / "gyro_exp03_user03.txt").unlink()
    append("labels.txt", "1 1 13 1 50\n")(raw)
    said = problems_of(raw)
    assert [said.count(words) for words in ("'x'", "without gyro", "activity 13 is unknown")] == [2, 1, 1]


def test_another_folder_is_refused_with_what_it_holds(tmp_path: Path, raw: Path) -> None:
    assert "does not exist; give the folder RawData" in problems_of(tmp_path / "nowhere")
    assert "is a file, not a folder; give the folder RawData" in problems_of(raw / "labels.txt")
    assert f"has no file acc_expNN_userNN.txt; give {raw}" in problems_of(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, raw: Path) -> None:
    (raw / "acc_exp01_user01.txt").rename(tmp_path / "elsewhere.txt")
    (raw / "acc_exp01_user01.txt").symlink_to("../elsewhere.txt")
    assert "is a link out of" in problems_of(raw)
