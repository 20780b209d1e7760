"""The benchmark of parity measures every comparison of the golden tests, by file and group."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from benchmarks.bench_parity import GROUPS, group
from tests.support import golden_files
from tests.support.paths import ROOT


def test_every_comparison_is_told_with_its_relative_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float]] = []
    monkeypatch.setattr(golden_files, "observers", [lambda name, _, difference: told.append((name, difference))])
    golden_files.assert_close([1.0, 3.0], np.array([1.0, 4.0]), "near", 0.5)
    golden_files.assert_close(0.0, np.array(0.0), "zero", 1e-9)
    with pytest.raises(AssertionError, match="far: differs by 5"):
        golden_files.assert_close([5.0], np.array([10.0]), "far", 1e-6)
    assert told == [("near", 0.25), ("zero", 0.0), ("far", 0.5)]


def test_groups_follow_from_the_test_and_the_shape() -> None:
    number, array = np.array(1.0), np.ones(3)
    assert group("test_outputs[sfnet_a]", array) == "outputs"
    assert group("test_losses_and_gradients[sfnet_a]", number) == "losses"
    assert group("test_losses_and_gradients[sfnet_a]", array) == "gradients"
    assert group("test_detections[sfnet_a]", array) == "detections"


def test_it_prints_a_row_for_every_file_and_group() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_parity"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.partition("golden file")[2].splitlines()[1:]]
    assert {row[1] for row in rows} <= set(GROUPS)
    for path in golden_files.files("backtal_release", golden_files.KEPT):
        mine = {row[1]: float(row[3]) for row in rows if row[0] == path.stem}
        assert mine.keys() == {"outputs", "losses", "gradients"}
        assert max(mine.values()) <= 1e-5
