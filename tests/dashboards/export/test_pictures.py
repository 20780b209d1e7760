"""Programs that draw images."""

from __future__ import annotations

import os
from pathlib import Path

import plotly.graph_objects as go
import pytest

from tal_dashboards.export.pictures import BROWSERS, find_browser, pdf, pictures


def test_the_browser_is_named_or_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    assert find_browser() is None
    for name in reversed(BROWSERS):
        program = tmp_path / name
        program.touch(0o755)
        assert find_browser() == str(program)
    monkeypatch.setenv("BROWSER_PATH", "/opt/browser")
    assert find_browser() == "/opt/browser"


def test_a_browser_that_does_not_start_draws_nothing() -> None:
    assert pictures(os.devnull, {"a": go.Figure()}) == {}
    assert pdf("/bin/false", "<p>") is None
