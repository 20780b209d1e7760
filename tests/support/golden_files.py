"""Golden files: numbers that a method's released code computed (tests/fixtures/golden/README.md)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.paths import FIXTURES

KEPT = FIXTURES / "golden"
FOLDER = Path(os.environ.get("TAL_GOLDEN_DIR", KEPT))
# Told of every comparison: name, what is expected, relative difference. For `benchmarks.bench_parity`.
observers: list[Callable[[str, np.ndarray, float], None]] = []


def files(kind: str, folder: Path = FOLDER) -> list[Path]:
    """All files of a kind ("sfnet": sfnet_*.npz) in the folder of golden files, in order of their names.

    Fails where the project's own folder has none; another folder need not have every kind.
    """
    found = sorted(folder.glob(f"{kind}_*.npz"))
    assert found or folder != KEPT, f"no {kind}_*.npz in {folder}"
    return found


def read(path: Path) -> dict[str, np.ndarray]:
    """Every array by its key."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def assert_close(ours: object, theirs: np.ndarray, name: str, relative: float) -> None:
    """Within `relative` of the greatest magnitude of what is expected; both must be finite and of one shape."""
    found = np.asarray(ours, dtype=np.float64)
    assert found.shape == theirs.shape, f"{name}: shape {found.shape} instead of {theirs.shape}"
    scale = float(np.abs(theirs).max(initial=0.0))
    difference = float(np.abs(found - theirs).max(initial=0.0))
    for observer in observers:
        observer(name, theirs, difference / (scale or 1.0))
    assert difference <= relative * scale + 1e-12, f"{name}: differs by {difference:.2e} at scale {scale:.2e}"
