"""The temporary folder of a study's Ray."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.execution.ray_tune import scratch
from tal_search.execution.ray_tune.scratch import LONGEST, PREFIX, scratch_folder
from tests.support.small_disk import small_disk


def test_what_a_killed_driver_left_is_removed_and_what_a_living_one_holds_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "LONGEST", 1000)
    abandoned = tmp_path / f"{PREFIX}abandoned"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    with scratch_folder() as first:
        assert not abandoned.exists()
        with scratch_folder() as second:
            assert first.is_dir()
            assert second != first
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tempfile` chooses its folder anew."""
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("name", ["scratch_folder_of_a_slurm_job_on_a_cluster_1355700", "a b", "50%20", "a#b", "é" * 9])
def test_a_long_or_odd_tmpdir_gives_way_to_a_private_folder_in_tmp(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as parent:
        odd = Path(parent, name)
        odd.mkdir()
        monkeypatch.setenv("TMPDIR", str(odd))
        with scratch_folder() as folder:
            assert folder.parent == Path("/tmp")
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert len(str(folder)) <= LONGEST
        assert list(odd.iterdir()) == []
    assert not folder.exists()


@pytest.mark.usefixtures("fresh")
def test_a_tmpdir_that_does_not_exist_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with scratch_folder() as folder:
        assert folder.is_dir()


@pytest.mark.usefixtures("fresh")
def test_where_tmp_cannot_be_written_either_tmpdir_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("a" * 60)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    with small_disk(tmp_path / "read_only", "size=1m,ro") as folder:
        monkeypatch.setattr(scratch, "SHORT", folder)
        with pytest.raises(InputError) as caught, scratch_folder():
            pass
    assert str(caught.value) == (
        f"TMPDIR is {long}, but {long} is too long for Ray's sockets, and {folder} cannot be written; set TMPDIR to a "
        "folder that you may write, with a path of few letters"
    )


def test_no_temporary_folder_at_all_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(InputError, match=r"^TMPDIR is not set, and no temporary folder can be written; set TMPDIR to"):
        scratch_folder().__enter__()
