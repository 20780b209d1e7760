"""Conversion of HAPT's raw files to a folder of features with their ground truth (layout `actionformer`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tal_search.data.data_folder import real
from tal_search.data.hapt.raw_files import Recording, read_recordings
from tal_search.data.hapt.sequences import CUT, SUBSETS, Sequence, ground_truth, people_of_test, sequences_of
from tal_search.data.hapt.windows import raw_windows, standardized, statistics
from tal_search.data.truth.labels import named
from tal_search.errors import InputError, Problems
from tal_search.files.atomic import write_json
from tal_search.files.new_folder import new_folder, require_new
from tal_search.text.words import counted

TRUTH = "gt_hapt.json"
STANDARDIZED = "values are standardized by the training people"


def convert_hapt(
    raw: Path, out: Path, features: str, kind: str, fold: tuple[int, int] | None, notes: list[str]
) -> list[Sequence]:
    """Write VIDEO.npy [T, D] for each sequence, and the ground truth, into the new folder `out`; returns the sequences.

    features: one of `windows.KINDS`; kind: one of `sequences.KINDS`; fold: see `people_of_test`. Adds notes for the
    user. Raises InputError with every problem of the raw files and of `out`; nothing is then written.
    """
    problems, recordings = Problems(), list[Recording]()
    with problems.gather():
        require_new(out, [raw])
        if real(out).is_relative_to(real(raw)):
            raise InputError(f"out={out} lies in {raw}, which is only read; give a folder elsewhere")
    with problems.gather():
        recordings = read_recordings(raw, notes)
    notes += _dead_sensors(raw, recordings, features)
    tested = frozenset[int]()
    with problems.gather():
        tested = people_of_test({recording.user for recording in recordings}, fold) if recordings else tested
    problems.raise_if_any()
    sequences = sequences_of(recordings, kind, tested)
    lacking = [subset for subset in SUBSETS if all(sequence.subset != subset for sequence in sequences)]
    if features == "statistics" and SUBSETS[0] in lacking:
        raise InputError(f"{raw} has no recording of a training person, whose values statistics are standardized by")
    if lacking:
        notes.append(f"{raw}: no recording is of a {lacking[0]} person; a study needs training and test sequences")
    with new_folder(out, [raw]) as folder:
        for sequence, rows_TD in zip(sequences, _features(sequences, features), strict=True):
            np.save(folder / f"{sequence.name}.npy", rows_TD)
        write_json(folder / TRUTH, ground_truth(sequences, _made_for_split(features, kind)))
    return sequences


def _made_for_split(features: str, kind: str) -> list[str]:
    """What holds for this split only, so that folds over all people would not be clean."""
    return [*([STANDARDIZED] if features == "statistics" else []), *([CUT] if kind == "windows" else [])]


def _dead_sensors(raw: Path, recordings: list[Recording], features: str) -> list[str]:
    """A note on files of sensors that are read and never change."""
    dead = list[str]()
    for recording in recordings:
        read = {"acc": recording.acceleration}
        read |= {"gyro": recording.angular_velocity} if features == "statistics" else {}
        dead += [f"{sensor}_{recording.name}.txt" for sensor, rows in read.items() if (rows == rows[0]).all()]
    if not dead:
        return []
    seen = f"{counted(len(dead), 'file')} with one value from beginning to end ({named(dead)})"
    return [f"WARNING: {raw}: {seen}; was the sensor off? Fetch {'it' if len(dead) == 1 else 'them'} again"]


def _features(sequences: list[Sequence], features: str) -> Iterator[np.ndarray]:
    """Features [T, D] of each sequence."""
    if features == "raw":
        yield from (
            raw_windows(sequence.recording.acceleration[sequence.start : sequence.end]) for sequence in sequences
        )
        return
    rows = []
    for sequence in sequences:
        part, recording = slice(sequence.start, sequence.end), sequence.recording
        rows.append(statistics(recording.acceleration[part], recording.angular_velocity[part]))
    train = [of for sequence, of in zip(sequences, rows, strict=True) if sequence.subset == SUBSETS[0]]
    yield from standardized(rows, train)
