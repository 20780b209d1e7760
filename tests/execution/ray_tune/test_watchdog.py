"""Ray's own servers killed with kill -9: the driver ends with a sentence, and nothing of it goes on running."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tal_search.trial.folder import TrialFolder
from tests.support.killed_program import ENDLESS, SHORT, end, program
from tests.support.small_trials import history, make_spec


@pytest.mark.parametrize(("server", "name", "behaviour"), [("raylet", "raylet", SHORT), ("gcs_server", "GCS", ENDLESS)])
def test_the_driver_ends_where_ray_dies(
    server: str, name: str, behaviour: dict[str, int | float], tmp_path: Path
) -> None:
    with program("ray", tmp_path, behaviour) as process:
        (killed,) = [child for child in psutil.Process(process.pid).children() if child.name() == server]
        killed.kill()
        out, error = end(process)
    assert process.returncode == 1, (out, error)
    assert error.startswith(f"Ray stopped: its {name} at 127.0.0.1:"), error
    assert error.endswith("no longer answers; finished trials are kept and the same command continues\n")
    assert len(error.splitlines()) == 1
    assert "Failed" not in out
    assert history(TrialFolder.of(tmp_path, make_spec(0, **behaviour).key), "epoch")
