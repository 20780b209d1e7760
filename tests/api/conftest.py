"""Fixtures of the Python interface's tests."""

from __future__ import annotations

import pytest

import tal_search
from tal_search import StudyResults
from tests.support.small_dashboards import Made


@pytest.fixture(scope="session")
def study(swept: Made) -> StudyResults:
    return tal_search.load(swept.name, swept.runs)
