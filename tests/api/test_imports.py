"""Optional packages: the extra to install is named."""

from __future__ import annotations

import sys

import pytest

from tal_search.api.imports import require_dashboards
from tal_search.errors import MissingExtra


@pytest.mark.parametrize("package", ["dash", "plotly"])
def test_a_missing_package_names_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    require_dashboards()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"{package} is not installed; run: pip install 'tal-search\[dashboards\]'"):
        require_dashboards()
