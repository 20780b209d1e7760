"""A server of two studies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.small_dashboards import Made, served


@pytest.fixture(scope="module")
def address(compared: Made) -> Iterator[str]:
    with served(compared.runs) as found:
        yield found
