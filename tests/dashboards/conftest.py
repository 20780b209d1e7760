"""One page in a browser for all tests of a file, on the server of its fixture `address`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, visit


@pytest.fixture(scope="module")
def profile(opened: Browser, address: str) -> Iterator[Visit]:
    """One page for all tests, which keeps the compiled scripts."""
    with visit(opened, address) as found:
        yield found


@pytest.fixture
def page(profile: Visit) -> Iterator[Visit]:
    """The same page; nothing may have gone wrong on it by the end of a test."""
    yield profile
    assert not profile.wrong, profile.wrong
