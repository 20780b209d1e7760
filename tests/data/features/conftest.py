"""Fixtures of feature readers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tal_search.data.load import LOADED


@pytest.fixture
def nothing_loaded() -> Iterator[None]:
    """No dataset is kept from an earlier test, nor for a later one."""
    LOADED.clear()
    yield
    LOADED.clear()
