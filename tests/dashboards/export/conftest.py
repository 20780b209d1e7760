"""Exported files of two studies, made once."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tal_dashboards.export.export import export_study
from tal_search.cli.main import main
from tests.support.small_dashboards import Made


@pytest.fixture(scope="session")
def compared_files(compared: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Files and output of the command for a study of cases."""
    out, said = tmp_path_factory.mktemp("compared") / "out", io.StringIO()
    with redirect_stdout(said):
        assert main(["export", f"study={compared.name}", f"runs={compared.runs}", f"out={out}"]) == 0
    return out, " ".join(said.getvalue().split())


@pytest.fixture(scope="session")
def swept_files(swept: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Files and messages for a study of axes without a browser; the study itself does not change."""
    out = tmp_path_factory.mktemp("swept") / "out"
    before = files_of(swept)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", str(out))
        patched.delenv("BROWSER_PATH", raising=False)
        said = export_study(swept.runs, swept.name, out)
    assert files_of(swept) == before
    return out, said


def files_of(study: Made) -> dict[Path, int]:
    """Modification times of a study's files, without caches and SQLite's own files."""
    kept = [path for path in study.runs.rglob("*") if path.is_file() and "cache" not in path.parts]
    return {path: path.stat().st_mtime_ns for path in kept if not path.name.endswith(("-shm", "-wal"))}
