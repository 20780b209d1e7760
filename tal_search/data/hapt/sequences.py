"""Sequences of HAPT: recordings whole or cut, the split of the people, and the ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tal_search.data.hapt.labels import Instance
from tal_search.data.hapt.raw_files import RATE, Recording
from tal_search.errors import InputError

KINDS = ("whole", "windows", "clips")
TEST_PEOPLE = frozenset({2, 4, 9, 10, 12, 13, 18, 20, 24})  # Test/subject_id_test.txt of the release
SUBSETS = ("training", "test")
VERSION = "HAPT 2.1"
WINDOW_SECONDS, LAST_WINDOW_SECONDS = 60, 30  # length of a training window; the last one has at least the second
CLIP_SECONDS = 45  # least length of a clip
CUT = "training sequences are cut through instances"
LEAST_SECONDS = 1  # of a gap that clips are cut in, and of a piece of an instance that a cut leaves


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """Samples `start` to `end` (exclusive) of a recording; instances count from its own first sample."""

    name: str
    subset: str
    recording: Recording
    start: int
    end: int
    instances: tuple[Instance, ...]


def people_of_test(people: set[int], fold: tuple[int, int] | None) -> frozenset[int]:
    """The test people: those of the release, or with `fold` = (K, N) every N-th person from the K-th on, K from 0.

    Raises InputError where there are fewer people than folds.
    """
    if fold is None:
        return TEST_PEOPLE
    if len(people) < fold[1]:
        raise InputError(f"folds={fold[0]}/{fold[1]} needs {fold[1]} people, and the recordings are of {len(people)}")
    return frozenset(sorted(people)[fold[0] :: fold[1]])


def sequences_of(recordings: list[Recording], kind: str, tested: frozenset[int]) -> list[Sequence]:
    """The sequences of all recordings; kind: one of KINDS.

    whole: one a recording. clips: cut in the middles of gaps, at least CLIP_SECONDS each, so no instance is cut.
    windows: test recordings as clips, training recordings every WINDOW_SECONDS, instances with them.
    """
    return [sequence for recording in recordings for sequence in _cut(recording, kind, tested)]


def ground_truth(sequences: list[Sequence], made_for_split: list[str]) -> dict[str, object]:
    """The ActivityNet-style ground truth, in seconds. made_for_split: see `folds.split_notes`."""
    database = {
        sequence.name: {
            "subset": sequence.subset,
            "duration": (sequence.end - sequence.start) / RATE,
            "fps": float(RATE),
            "annotations": [
                {"label": instance.label, "segment": [instance.start / RATE, instance.end / RATE]}
                for instance in sequence.instances
            ],
        }
        for sequence in sequences
    }
    return {"version": VERSION, **({"made_for_split": made_for_split} if made_for_split else {}), "database": database}


def _cut(recording: Recording, kind: str, tested: frozenset[int]) -> Iterator[Sequence]:
    test, samples = recording.user in tested, len(recording.acceleration)
    if kind == "whole":
        cuts = [0, samples]
    elif kind == "windows" and not test:
        cuts = [*range(0, samples - LAST_WINDOW_SECONDS * RATE, WINDOW_SECONDS * RATE), samples]
        cuts = cuts if cuts[0] == 0 else [0, samples]  # a recording shorter than the least window
    else:
        cuts = _clip_cuts(samples, recording.instances)
    for index, (start, end) in enumerate(pairwise(cuts)):
        yield Sequence(
            name=recording.name if kind == "whole" else f"{recording.name}_{index:02d}",
            subset=SUBSETS[test], recording=recording, start=start, end=end,
            instances=tuple(_inside(recording.instances, start, end)),
        )  # fmt: skip


def _clip_cuts(samples: int, instances: tuple[Instance, ...]) -> list[int]:
    cuts, covered = [0], 0
    for instance in instances:
        middle = (instance.start + covered) // 2
        long = min(middle - cuts[-1], samples - middle) >= CLIP_SECONDS * RATE
        if instance.start - covered > LEAST_SECONDS * RATE and long:
            cuts.append(middle)
        covered = max(covered, instance.end)
    return [*cuts, samples]


def _inside(instances: tuple[Instance, ...], start: int, end: int) -> Iterator[Instance]:
    """The instances between two cuts, counted from the first; pieces that are too short to be found are left out."""
    for instance in instances:
        first, last = max(instance.start, start), min(instance.end, end)
        whole = (first, last) == (instance.start, instance.end)
        if last > first and (whole or last - first >= LEAST_SECONDS * RATE):
            yield Instance(start=first - start, end=last - start, label=instance.label)
