"""One study file written and loaded, for tests of studies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.study import Study, load_study


def load(folder: Path, text: str | bytes, *overrides: str) -> Study:
    """The study of a file with this text, changed by overrides."""
    studies = folder / "studies"
    studies.mkdir(exist_ok=True)
    (studies / "x.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_study("x", list(overrides), studies)


def problems(folder: Path, text: str | bytes, *overrides: str) -> tuple[str, ...]:
    """What is wrong with it: one sentence each, with its place, and exit code 2."""
    with pytest.raises(InputError) as raised:
        load(folder, text, *overrides)
    assert raised.value.exit_code == 2
    assert all(p.startswith(("studies/x.yaml:", "command line: ")) for p in raised.value.problems)
    assert all("\n" not in p for p in raised.value.problems)
    return raised.value.problems
