"""Every view: what its module defines, and the axes of its figures."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import pytest
from dash.development.base_component import Component

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import views
from tests.support.small_dashboards import Made


@pytest.fixture(scope="module")
def data(swept: Made) -> StudyData:
    return swept.read()


@pytest.mark.parametrize("name", views())
def test_a_view_defines_what_its_protocol_asks_for_and_its_figures_say_what_their_axes_are(
    data: StudyData, name: str
) -> None:
    view = views()[name]
    assert isinstance(view.TITLE, str)
    assert callable(view.register)
    layout, info = view.layout(data, {}), view.info(data, {})
    assert isinstance(layout, Component)
    assert all(isinstance(table, pd.DataFrame) for table in view.tables(info).values())
    for figure in view.figures(info).values():
        assert isinstance(figure, go.Figure)
        named = any(isinstance(one, str) for trace in figure.data for one in ([] if trace.y is None else trace.y))
        named |= name in ("overview", "plots") and len(figure.layout.annotations) > 0  # of panels and of parallel axes
        assert any(axis.title.text or axis.ticktext for axis in figure.select_yaxes()) or named  # bars by names
        assert any(axis.title.text or axis.ticktext for axis in figure.select_xaxes())  # rows share the lowest x axis
