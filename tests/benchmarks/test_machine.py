"""Every benchmark names the processor that its numbers were measured on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import pytest

from benchmarks.machine import cores, machine, processor
from tests.support.paths import ROOT

PROGRAMS = [path for path in sorted((ROOT / "benchmarks").glob("*.py")) if "\ndef main(" in path.read_text()]


def test_the_machine_is_named_by_its_processor_and_cores() -> None:
    assert machine().startswith(f"{processor()}, {cores()} core")
    assert 1 <= cores() <= (os.cpu_count() or 1)
    models = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    assert processor() in ([model.strip() for model in models] or [platform.machine()])


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_benchmark_prints_its_machine(path: Path) -> None:
    assert re.search(r"\bmachine\(", path.read_text())
