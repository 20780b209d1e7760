"""A definition's text is the same in every Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tal_search.trial.code_version import PACKAGE, code_version
from tests.support.code_copies import EVERY
from tests.support.code_ways import WAYS, version


def pythons() -> list[str]:
    """Every Python from 3.11 on that is found on PATH, or beside this one and its siblings, and starts."""
    base = Path(sys.base_prefix)
    places = [base / "bin", *sorted(base.parent.glob("*/bin"))]
    places += [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]
    names = [
        path for place in places for path in place.glob("python3.*") if re.fullmatch(r"python3\.1[1-9]", path.name)
    ]
    found = {path.name: str(path) for path in reversed(names) if starts(path)}
    return [found[name] for name in sorted(found)]


def starts(path: Path) -> bool:
    return subprocess.run([path, "-c", ""], capture_output=True, timeout=60).returncode == 0


def run(python: str, program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, f"{python}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("python", pythons())
def test_every_python_gives_the_same_versions(python: str, tmp_path: Path) -> None:
    here = [code_version(*key) for key in sorted(EVERY)]
    program = f"import json; from tal_search.trial.code_version import code_version\n" \
              f"print(json.dumps([code_version(*key) for key in {sorted(EVERY)}]))"  # fmt: skip
    assert json.loads(run(python, program)) == here
    ways = version(tmp_path, WAYS)
    program = "from pathlib import Path; from tal_search.trial.code_version import *\n" \
              f"print(version_of(Package(Path({str(tmp_path / 'pack')!r})), 'm', 'simulated'))"  # fmt: skip
    assert run(python, program).strip() == ways
