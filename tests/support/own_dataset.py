"""A dataset that no code knows: ActionFormer's layout, other classes, stride 8 of windows of 32 frames at 30 fps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("hop", "skip", "jump")
STRIDE, WINDOW, FPS = 8, 32, 30


def make_own(root: Path, *, people: int = 6, takes: int = 2, stride: int = STRIDE, window: int = WINDOW) -> Path:
    """Write gt_moves.json and `take0_subj3.npy` and so on; the last third of the people is the test split."""
    generator = np.random.default_rng(1)
    root.mkdir(parents=True)
    database: dict[str, Any] = {}
    for person in range(people):
        for take in range(takes):
            frames = int(generator.integers(600, 1200))
            name, seconds = f"take{take}_subj{person}", frames / FPS
            label = (person + take) % len(CLASSES)
            segments = [[2.0, 4.5], [9.0, 12.0]]
            centres = (np.arange((frames - window) // stride + 1) * stride + window / 2) / FPS
            inside = np.any([(centres >= start) & (centres < end) for start, end in segments], axis=0)
            features = generator.normal(0, 0.2, (len(centres), 8)).astype(np.float32)
            features[:, label] += 2 * inside
            np.save(root / f"{name}.npy", features)
            subset = "training" if person < people * 2 // 3 else "test"
            instances = [{"segment": segment, "label": CLASSES[label]} for segment in segments]
            database[name] = {"subset": subset, "fps": FPS, "duration": seconds, "annotations": instances}
    (root / "gt_moves.json").write_text(json.dumps({"database": database}))
    return root
