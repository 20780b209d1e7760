"""A server of two studies, and one page in a browser for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, visit
from tests.support.small_dashboards import Made, served


@pytest.fixture(scope="module")
def address(compared: Made) -> Iterator[str]:
    with served(compared.runs) as found:
        yield found


@pytest.fixture(scope="module")
def profile(opened: Browser, address: str) -> Iterator[Visit]:
    """One page for all tests, which keeps the compiled scripts."""
    with visit(opened, address) as found:
        yield found


@pytest.fixture
def page(profile: Visit) -> Iterator[Visit]:
    yield profile
    assert not profile.wrong, profile.wrong
