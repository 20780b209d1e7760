"""A small dataset in BackTAL's layout, written for tests: npz features, ground truth, two annotators' clicks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.errors import InputError

FPS = 10
CLASSES = ("CliffDiving", "GolfSwing", "HighJump")
HEADER = "\ufeffURLID,URL,TagID,Tag,Start,End,Time,State"


def make_dataset(
    root: Path,
    *,
    train: int = 4,
    test: int = 3,
    channels: int = 8,
    snippets: int = 40,
    classes: tuple[str, ...] = CLASSES,
    seed: int = 0,
) -> Path:
    """Write val/, test/, gt_thumos14.json and clicks_background_A{1,2}.txt under `root`; returns `root`.

    Video i of a split has class i mod C, lasts 40 + i seconds and has two instances, at 5-12 s and 20-28 s; inside
    them the class's channel is high, so that a fit learns something. A1 clicks at 2, 16 and 35 s, A2 at 15 s; A1's
    clicks are the point_label of the training files.
    """
    generator = np.random.default_rng(seed)
    database: dict[str, Any] = {}
    clicks: dict[str, list[str]] = {"A1": [HEADER], "A2": [HEADER]}
    for folder, count in (("val", train), ("test", test)):
        for number in range(count):
            name, duration, label = f"video_{folder}_{number:04d}", 40.0 + number, number % len(classes)
            segments = [[5.0, 12.0], [20.0, 28.0]]
            instances = [{"segment": segment, "label": classes[label]} for segment in segments]
            database[name] = {"subset": folder, "fps": FPS, "duration": duration, "annotations": instances}
            arrays = video_arrays(name, duration, label, segments, channels, snippets, len(classes), generator)
            if folder == "val":
                seconds = (2.0, 16.0, 35.0)
                arrays["point_label"] = np.full(snippets, -100)
                arrays["point_label"][[int(second / duration * snippets) for second in seconds]] = len(classes)
                clicks["A1"] += [f"{name},{name}.mp4,20,background_background,{s:g},{s:g},1,1" for s in seconds]
                clicks["A2"] += [f"{name},{name}.mp4,20,background_background,15.5,15.5,1,1"]
            (root / folder).mkdir(parents=True, exist_ok=True)
            np.savez_compressed(root / folder / f"{name}.npz", **arrays)
    (root / "gt_thumos14.json").write_text(json.dumps({"database": database, "activity_list": list(classes)}))
    for annotator, lines in clicks.items():
        (root / f"clicks_background_{annotator}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def video_arrays(
    name: str,
    duration: float,
    label: int,
    segments: list[list[float]],
    channels: int,
    snippets: int,
    classes: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """What one npz file of the released layout holds, without clicks."""
    centres = (np.arange(snippets) + 0.5) / snippets * duration
    inside = np.any([(centres >= start) & (centres < end) for start, end in segments], axis=0)
    features = generator.normal(0, 0.2, (channels, snippets))
    features[label % channels] += 2 * inside
    half = channels // 2
    return {
        "feat_spa": features[:half].astype(np.float16),
        "feat_tem": features[half:].astype(np.float16),
        "cls_label": np.eye(classes, dtype=np.float32)[label],
        "vid_name": name,
        "frame_num": round(duration * FPS),
        "fps": FPS,
        "duration": duration,
    }


def change(path: Path, **arrays: Any) -> None:
    """Write an npz file again with some arrays replaced, or left out where None is given."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    content |= arrays
    np.savez_compressed(path, **{name: array for name, array in content.items() if array is not None})


def edit_json(path: Path, edit: Any) -> None:
    """Apply `edit` to the content of a JSON file, in place."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


SMALL = Simulation(train_videos=24, test_videos=20, channels=8)


def found(root: Path | None, source: str = "auto", **settings: Any) -> DatasetSpec:
    """`find` with the settings of a small study."""
    defaults: dict[str, Any] = {"ground_truth": None, "clicks": None, "snippets": 40, "simulation": SMALL}
    return find("thumos14", source, root, **{**defaults, **settings})


def problems_of(call: Callable[[], object]) -> tuple[str, ...]:
    """The sentences of the InputError that `call` raises."""
    with pytest.raises(InputError) as caught:
        call()
    assert all("\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def require_each(problems: Sequence[str], expected: Sequence[str]) -> None:
    """Each problem holds the words that are expected in its place."""
    assert len(problems) == len(expected)
    for words, problem in zip(expected, problems, strict=True):
        assert words in problem
