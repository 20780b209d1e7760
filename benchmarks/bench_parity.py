"""Largest relative differences to the numbers of the released code: `python -m benchmarks.bench_parity [FOLDER]`.

Runs the golden tests, on FOLDER instead of tests/fixtures/golden if given, and prints the largest difference of each
quantity, relative to its largest expected magnitude. Every comparison by `golden_files.assert_close` is included. The
exit code is 1 if a test fails.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.machine import machine

TESTS = Path(__file__).resolve().parents[1] / "tests"
GROUPS = ("outputs", "losses", "gradients", "detections")


def group(test: str, expected: np.ndarray) -> str:
    """The group of a quantity, from the name of the test that compares it."""
    if "detection" in test:
        return "detections"
    if expected.ndim == 0:
        return "losses"
    return "gradients" if "gradient" in test else "outputs"


class Measured:
    """Pytest plugin that collects comparisons: (difference, quantity) by golden file and group."""

    def __init__(self) -> None:
        self.differences: dict[tuple[str, str], list[tuple[float, str]]] = {}
        self.test = self.file = ""

    def pytest_collection_finish(self) -> None:
        # The same module as the tests', importable only once pytest has collected them.
        importlib.import_module("tests.support.golden_files").observers.append(self.compared)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Take the test's golden file from its parameters: the one that is a path."""
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        self.file = next((value.stem for value in values if isinstance(value, Path)), "")
        self.test = item.name

    def compared(self, name: str, expected: np.ndarray, difference: float) -> None:
        if self.file:
            self.differences.setdefault((self.file, group(self.test, expected)), []).append((difference, name))

    def rows(self) -> list[str]:
        """One row per file and group: number of comparisons, largest difference, and its quantity."""
        order = sorted(self.differences, key=lambda key: (key[0], GROUPS.index(key[1])))
        largest = [(*key, len(self.differences[key]), *max(self.differences[key])) for key in order]
        return [
            f"{file:<20} {what:<11} {count:>11} {difference:>10.1e}  {name}"
            for file, what, count, difference, name in largest
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    folder = parser.parse_args().folder
    if folder is not None:
        os.environ["TAL_GOLDEN_DIR"] = str(folder.resolve())
    measured = Measured()
    files = [str(path) for path in sorted(TESTS.glob("methods/test_*_golden.py"))]
    code = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *files], plugins=[measured])
    print(f"\n{machine()}")
    print(f"{'golden file':<20} {'group':<11} {'comparisons':>11} {'largest':>10}  of")
    print("\n".join(measured.rows()))
    return int(code != pytest.ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
