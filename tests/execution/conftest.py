"""Fixtures of backends: one Ray for all tests of this folder that neither kill it nor watch its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tal_search.execution.ray_tune import ray_settings
from tests.support.ray_cluster import running_cluster
from tests.support.waiting import IMPORTABLE

ray_settings.prepare(None)  # sets the token that this process and the cluster share, before any test imports Ray


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a Ray that the test starts can import the tests' trial functions."""
    monkeypatch.setenv("PYTHONPATH", IMPORTABLE)


@pytest.fixture(scope="package")
def cluster() -> Iterator[str]:
    """The address of the shared Ray."""
    with running_cluster() as address:
        yield address


@pytest.fixture
def on_cluster(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backends join the shared Ray, and so do programs that the test starts."""
    monkeypatch.setenv("RAY_ADDRESS", cluster)
