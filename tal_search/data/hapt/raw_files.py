"""Reader of HAPT's folder RawData: acc_expNN_userNN.txt, gyro_expNN_userNN.txt and labels.txt.

A line of a sensor's file is one sample of its three axes, 50 a second: acceleration in g, angular velocity in rad/s
(README.txt of the release).
"""

from __future__ import annotations

import math
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tal_search.data.data_folder import real, seen_at
from tal_search.data.hapt.labels import AGAIN, Instance, lines_of, read_activities, recording_name
from tal_search.data.truth.labels import named
from tal_search.errors import LISTED_IN_ALL, InputError, Problems
from tal_search.files.json_reader import brief, number_of
from tal_search.text.words import counted
from tal_search.types import Floats

RATE = 50  # samples a second
WINDOW = 50  # samples of one window, the least that a recording needs
SENSORS = ("acc", "gyro")
AXES = 3
FILE = re.compile(r"(acc|gyro)_exp(\d{1,4})_user(\d{1,4})\.txt")
GIVE = "give the folder RawData of the download, which has acc_exp01_user01.txt and labels.txt"
LARGEST = 1000.0  # g or rad/s; a phone's sensors end at a few g and at 35 rad/s, and float16 at 65504


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One experiment of one person: acceleration in g and angular velocity in rad/s, both float64 [N, 3] at RATE.

    instances: sorted by their first sample.
    """

    experiment: int
    user: int
    acceleration: Floats
    angular_velocity: Floats
    instances: tuple[Instance, ...]

    @property
    def name(self) -> str:
        return recording_name(self.experiment, self.user)


def read_recordings(folder: Path, notes: list[str]) -> list[Recording]:
    """Every recording in `folder`, by experiment; adds notes on recordings without labels and labels without one, and
    on sensors whose lengths differ by less than a window, of which the longer is cut.

    Raises InputError with every problem of the folder: files that are missing, cannot be read or hold other than
    numbers, sensors of other lengths, labels outside the recording or of unknown activities.
    """
    problems = Problems(most=LISTED_IN_ALL)
    files = _sensor_files(folder, problems)
    signals = {key: _signals(paths, problems, notes) for key, paths in files.items()}
    lengths = {key: None if signal is None else len(signal[0]) for key, signal in signals.items()}
    instances = read_activities(folder / "labels.txt", lengths, problems, notes)
    problems.raise_if_any()
    return [
        Recording(
            experiment=key[0], user=key[1], acceleration=signal[0], angular_velocity=signal[1],
            instances=tuple(sorted(instances.get(key, []), key=lambda instance: instance.start)),
        )
        for key, signal in sorted(signals.items())
        if signal is not None
    ]  # fmt: skip


def _sensor_files(folder: Path, problems: Problems) -> dict[tuple[int, int], list[Path]]:
    """(Experiment, user) → the files of SENSORS, where both are there. Raises InputError where the folder has none."""
    try:
        listed = sorted(folder.iterdir())
    except OSError:
        raise InputError(f"{folder} {seen_at(folder)}; {GIVE}") from None
    found: dict[tuple[int, int], dict[str, Path]] = {}
    for path in listed:
        match = FILE.fullmatch(path.name)
        if match is None:
            continue
        of_recording = found.setdefault((int(match[2]), int(match[3])), {})
        if match[1] in of_recording:
            problems.add(f"{path} and {of_recording[match[1]].name} are of one recording; keep one", "twice")
        if not real(path).is_relative_to(real(folder)):
            problems.add(f"{path} is a link out of {folder}; copy the file there", "link")
        of_recording[match[1]] = path
    if not found:
        fix = f"give {folder / 'RawData'}" if (folder / "RawData").is_dir() else GIVE
        raise InputError(f"{folder} {seen_at(folder)}, and has no file acc_expNN_userNN.txt; {fix}")
    for sensor, other in (SENSORS, SENSORS[::-1]):
        lacking = [recording_name(*key) for key, paths in found.items() if sensor not in paths]
        if lacking:
            seen = f"{counted(len(lacking), 'recording')} with {other} and without {sensor} ({named(lacking)})"
            rest = " and the others" if len(lacking) > 1 else ""
            problems.add(f"{folder} has {seen}; fetch {sensor}_{lacking[0]}.txt{rest}")
    experiments = [experiment for experiment, _ in found]
    for key in found:
        if experiments.count(key[0]) > 1:
            seen = f"{folder} has files of experiment {key[0]} of several users"
            problems.add(f"{seen}, such as {recording_name(*key)}; keep one", "users")
    return {key: [paths[sensor] for sensor in SENSORS] for key, paths in found.items() if len(paths) == len(SENSORS)}


def _signals(paths: list[Path], problems: Problems, notes: list[str]) -> tuple[Floats, Floats] | None:
    """Both sensors' samples float64 [N, 3]; None, with a problem, where they cannot be used."""
    acceleration, velocity = (_samples(path, problems) for path in paths)
    if acceleration is None or velocity is None:
        return None
    shorter = min(len(acceleration), len(velocity))
    longer = max(len(acceleration), len(velocity))
    if longer != shorter:
        seen = f"{paths[0]} has {len(acceleration)} samples and {paths[1].name} {len(velocity)}"
        if longer - shorter >= WINDOW:
            problems.add(f"{seen}; both are of one recording, fetch them again", "lengths")
            return None
        notes.append(f"{seen}; both are read up to the shorter's end")
    return acceleration[:shorter], velocity[:shorter]


def _samples(path: Path, problems: Problems) -> Floats | None:
    """The samples of one sensor, float64 [N, 3]; None, with a problem, where they cannot be used."""
    lines = lines_of(path, problems)
    if lines is None:
        return None
    if lines in ([], [""]):
        problems.add(f"{path} is empty; {AGAIN}", "empty")
        return None
    rows = _parsed(lines)
    if rows is None:
        wrong = [number for number, line in enumerate(lines, 1) if not _is_sample(line)]
        first = f"line {wrong[0]}: '{brief(lines[wrong[0] - 1])}'"
        seen = f"{len(wrong)} of {counted(len(lines), 'line')} {'is' if len(wrong) == 1 else 'are'} not"
        problems.add(f"{path}: {seen} {AXES} numbers up to {LARGEST:g} ({first}); {AGAIN}", "lines")
        return None
    if len(lines) < WINDOW:
        problems.add(f"{path} has {counted(len(lines), 'sample')}, less than a window of {WINDOW}; {AGAIN}", "short")
        return None
    return rows


def _parsed(lines: list[str]) -> Floats | None:
    """Lines as float64 [N, 3]; None where one of them is no sample."""
    with warnings.catch_warnings(action="ignore"), suppress(ValueError):  # warns of a file without any line
        rows: Floats = np.loadtxt(lines, ndmin=2, comments=None)  # twice as fast as a loop
        if rows.shape == (len(lines), AXES) and (np.abs(rows) <= LARGEST).all():  # it skips blank lines; NaN is not <=
            return rows
    return np.array([line.split() for line in lines], np.float64) if all(map(_is_sample, lines)) else None


def _is_sample(line: str) -> bool:
    values = [number_of(text) for text in line.split()]
    return len(values) == AXES and all(math.isfinite(value) and abs(value) <= LARGEST for value in values)
