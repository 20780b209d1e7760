"""Figures by name, as the Python API offers them."""

from __future__ import annotations

import pytest

from tal_dashboards.export.named_figures import named_figure
from tal_search.errors import InputError
from tests.support.small_dashboards import Made


def test_a_figure_is_found_by_view_and_title(swept: Made) -> None:
    data = swept.read()
    drawn = named_figure(data, "overview", {})
    assert drawn.to_plotly_json() == named_figure(data, "overview/overview", {}).to_plotly_json()
    assert drawn.layout.title.text == "simulated data"


def test_an_unknown_name_lists_the_known_ones(swept: Made) -> None:
    data = swept.read()
    with pytest.raises(InputError, match="VIEW one of overview, study, "):
        named_figure(data, "none", {})
    with pytest.raises(InputError, match="has no figure 'overview/x'; figures of this view: overview/overview"):
        named_figure(data, "overview/x", {})
