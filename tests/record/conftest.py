"""Fixtures of the tests of the record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres_server import Server, postgres_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One PostgreSQL for all of them; a test that stops it starts it again."""
    with postgres_server() as started:
        yield started
