"""Folders RawData of HAPT: made up, or written again from the real features and ground truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tal_search.data.hapt.labels import CLASSES

Rows = list[tuple[int, int, int, int, int]]


def write_recording(folder: Path, experiment: int, user: int, acceleration: np.ndarray, velocity: np.ndarray) -> None:
    """Both sensors' files of one recording: [N, 3] each."""
    folder.mkdir(parents=True, exist_ok=True)
    for sensor, values in (("acc", acceleration), ("gyro", velocity)):
        np.savetxt(folder / f"{sensor}_exp{experiment:02d}_user{user:02d}.txt", values, fmt="%.17g")


def write_labels(folder: Path, rows: Rows) -> None:
    np.savetxt(folder / "labels.txt", np.array(rows, int).reshape(-1, 5), fmt="%d")


def made_up(folder: Path, people: tuple[int, ...] = (1, 2, 3), seconds: int = 150) -> Path:
    """A recording a person, with noise and an instance every 20 s, in gaps of 5 s, of each class in turn."""
    generator, rows = np.random.default_rng(0), Rows()
    for experiment, user in enumerate(people, 1):
        samples = 50 * seconds + 7 * experiment
        write_recording(folder, experiment, user, *generator.standard_normal((2, samples, 3)))
        rows += [
            (experiment, user, 1 + (start // 1000) % len(CLASSES), start, start + 749)
            for start in range(251, samples - 750, 1000)
        ]
    write_labels(folder, rows)
    return folder


def rebuilt(folder: Path, features: Path, videos: tuple[str, ...]) -> Path:
    """RawData of real recordings: windows overlap by half, so their values give every accelerometer sample but those
    after the last window, which are zeros; the gyroscope's are zeros.
    """
    truth, rows = json.loads((features / "gt_hapt.json").read_text())["database"], Rows()
    for video in videos:
        experiment, user = int(video[3:5]), int(video[10:12])
        samples = np.zeros((round(50 * truth[video]["duration"]), 3))
        for index, window in enumerate(np.load(features / f"{video}.npy").astype(float)):
            samples[25 * index : 25 * index + 50] = window.reshape(3, 50).T
        write_recording(folder, experiment, user, samples, np.zeros_like(samples))
        for annotation in truth[video]["annotations"]:
            start, end = (round(50 * second) for second in annotation["segment"])
            rows.append((experiment, user, CLASSES.index(annotation["label"]) + 1, start + 1, end))
    write_labels(folder, rows)
    return folder
