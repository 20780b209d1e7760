"""Copied records, and a comparison of two studies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tal_dashboards.home.comparison import Comparison, comparison_info
from tests.support.dashboard_parts import cards_of
from tests.support.small_dashboards import Made


@pytest.fixture
def copied(swept: Made, compared: Made, tmp_path: Path) -> Path:
    """Records of a study of axes and one of cases, which a test may change."""
    for made in (swept, compared):
        shutil.copytree(made.runs / made.name, tmp_path / made.name)
    return tmp_path


@pytest.fixture(scope="session")
def info(swept: Made, grid: Made) -> Comparison:
    """A one-at-a-time study compared with a grid."""
    loaded = {}
    for name, made in (("swept", swept), ("grid", grid)):
        cards = cards_of(made.runs)
        loaded[name] = cards.standing(made.name), cards.overview(made.name)
    return comparison_info(loaded)
