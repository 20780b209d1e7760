"""Compiled functions are cached on disk; a cache that fails costs time but no result."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numba
import pytest

from tests.support.waiting import DEADLINE

SOURCE = """
from tal_search.files.compiled import compiled

@compiled
def doubled(value):
    return 2 * value
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Numba's cache."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "compiled"))
    return tmp_path / "compiled"


def load(tmp_path: Path) -> ModuleType:
    """A module with a kernel, as a new process imports it."""
    path = tmp_path / "some_kernels.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("some_kernels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files(folder: Path, ending: str) -> list[Path]:
    return list(folder.rglob(f"*.{ending}"))


def test_compiled_code_is_kept_and_found_again(folder: Path, tmp_path: Path) -> None:
    assert load(tmp_path).doubled(21) == 42
    (code,) = files(folder, "nbc")
    written = code.stat().st_mtime_ns
    assert load(tmp_path).doubled(21) == 42
    assert [path.stat().st_mtime_ns for path in files(folder, "nbc")] == [written]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b""), lambda path: path.write_bytes(path.read_bytes()[:-20])]
)
def test_damaged_code_on_disk_is_compiled_anew(
    folder: Path, tmp_path: Path, ending: str, damage: Callable[[Path], object]
) -> None:
    load(tmp_path).doubled(21)
    for path in files(folder, ending):
        damage(path)
    assert load(tmp_path).doubled(21) == 42
    assert load(tmp_path).doubled(21) == 42  # writes it again
    test_compiled_code_is_kept_and_found_again(folder, tmp_path)


def test_a_folder_that_fails_later_costs_the_kept_code_alone(folder: Path, tmp_path: Path) -> None:
    """As a full disk does: the code was compiled, and writing it raises OSError."""
    module = load(tmp_path)
    (kept,) = folder.iterdir()
    kept.rmdir()
    kept.write_text("no folder any more")
    assert [module.doubled(21), module.doubled(4)] == [42, 8]
    assert files(folder, "nb?") == []


def test_without_any_folder_to_keep_it_in_code_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")  # no second place
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "folder"))
    assert load(tmp_path).doubled(21) == 42
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".py"] == ["file"]


def test_kernels_are_compiled_for_one_kind_of_arguments_and_kept(tmp_path: Path) -> None:
    """A second process finds all that the first compiled, whatever the numbers' types in a study's file."""
    code = """
import numpy as np
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tal_search.types import Annotations
whole = Inference(outer_margin=1, nms=1, score_weight=0, activation_low=0, overlap="release")
for kind in (np.float16, np.float32, np.float64):
    for inference in (Inference(), whole):
        cas = np.random.default_rng(0).random((2, 3, 30)).astype(kind)
        kept = Activations(
            videos=("u", "v"), cas=cas, attention=cas[:, 0], scores=np.full((2, 3), 0.5, kind),
            duration=np.array([9.0, 4.0]), frames=np.array([90, 40]),
        )
        found = localize(kept, ("a", "b"), inference)
        truth = Annotations(
            videos=("v", "u"), classes=("a", "b"), video=np.array([0]), label=np.array([1]),
            segment=np.array([[0.0, 3.0]]), duration=np.array([4.0, 9.0]),
        )
        for protocol in ("activitynet", "thumos14"):
            score(truth, found, (0.1, 0.5), subset="s", protocol=protocol)
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment, timeout=DEADLINE)
    assert sorted(path.name.split("-")[0] for path in files(tmp_path, "nbc")) == [
        "matching_loop.match_detections", "matching_loop.match_instances", "proposal_loops.propose",
        "proposal_loops.suppress",
    ]  # fmt: skip
