"""Cuts of HAPT's recordings: no instance lost or torn in clips, windows of a minute, the split of the people."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.data.hapt.labels import Instance
from tal_search.data.hapt.raw_files import Recording
from tal_search.data.hapt.sequences import Sequence, ground_truth, people_of_test, sequences_of
from tal_search.errors import InputError


def recording(user: int, seconds: int, *segments: tuple[float, float]) -> Recording:
    samples = np.zeros((50 * seconds, 3))
    instances = tuple(Instance(start=round(50 * a), end=round(50 * b), label="walking") for a, b in segments)
    return Recording(experiment=1, user=user, acceleration=samples, angular_velocity=samples, instances=instances)


def seconds_of(sequences: list[Sequence]) -> list[tuple[float, float, list[tuple[float, float]]]]:
    return [(s.start / 50, s.end / 50, [(i.start / 50, i.end / 50) for i in s.instances]) for s in sequences]


def test_whole_recordings_keep_every_instance() -> None:
    (one,) = sequences_of([recording(1, 100, (3, 3.5), (90, 100))], "whole", frozenset({2}))
    assert (one.name, one.subset, seconds_of([one])) == ("exp01_user01", "training", [(0, 100, [(3, 3.5), (90, 100)])])


def test_windows_cut_training_instances_every_minute_and_leave_out_short_pieces() -> None:
    made = recording(1, 160, (50, 60.5), (110, 130), (131, 131.5))
    assert seconds_of(sequences_of([made], "windows", frozenset())) == [
        (0, 60, [(50, 60)]), (60, 120, [(50, 60)]), (120, 160, [(0, 10), (11, 11.5)])
    ]  # fmt: skip
    assert seconds_of(sequences_of([recording(1, 145)], "windows", frozenset())) == [(0, 60, []), (60, 145, [])]
    assert seconds_of(sequences_of([recording(1, 20)], "windows", frozenset())) == [(0, 20, [])]


@pytest.mark.parametrize("kind", ["clips", "windows"])
def test_clips_are_cut_in_the_middle_of_gaps(kind: str) -> None:
    made = recording(2, 200, (10, 40), (40, 50), (60, 99.5), (100, 140), (160, 190))
    found = sequences_of([made], kind, frozenset({2}))
    assert [one.subset for one in found] == ["test"] * len(found)
    assert seconds_of(found) == [
        (0, 55, [(10, 40), (40, 50)]), (55, 150, [(5, 44.5), (45, 85)]), (150, 200, [(10, 40)])
    ]  # fmt: skip
    assert [one.name for one in found] == ["exp01_user02_00", "exp01_user02_01", "exp01_user02_02"]


def test_the_split_is_the_release_s_or_every_nth_person() -> None:
    assert people_of_test({1, 2, 3}, None) == {2, 4, 9, 10, 12, 13, 18, 20, 24}
    assert [sorted(people_of_test(set(range(1, 8)), (fold, 3))) for fold in range(3)] == [[1, 4, 7], [2, 5], [3, 6]]
    with pytest.raises(InputError, match="folds=0/5 needs 5 people, and the recordings are of 3"):
        people_of_test({1, 2, 3}, (0, 5))


def test_the_ground_truth_is_in_seconds() -> None:
    content = ground_truth(sequences_of([recording(2, 100, (3, 4.5))], "whole", frozenset({2})), [])
    assert content["database"] == {
        "exp01_user02": {
            "subset": "test", "duration": 100.0, "fps": 50.0,
            "annotations": [{"label": "walking", "segment": [3.0, 4.5]}],
        }
    }  # fmt: skip
