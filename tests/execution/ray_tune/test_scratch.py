"""The temporary folder of a study's Ray."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tal_search.execution.ray_tune.scratch import PREFIX, scratch_folder


def test_what_a_killed_driver_left_is_removed_and_what_a_living_one_holds_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned = tmp_path / f"{PREFIX}abandoned"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    with scratch_folder() as first:
        assert not abandoned.exists()
        with scratch_folder() as second:
            assert first.is_dir()
            assert second != first
    assert list(tmp_path.iterdir()) == []
