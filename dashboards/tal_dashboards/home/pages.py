"""Dash application of the pages about several studies: the list at HOME and "/", and the comparison at COMPARE."""

from __future__ import annotations

import dash
from dash import Input, Output, State, dcc, html
from dash.development.base_component import Component

from tal_dashboards.app.page import new_page, sealed
from tal_dashboards.home import compare, front
from tal_dashboards.home.cards import Cards
from tal_dashboards.home.links import COMPARE, HOME, based, site_links


def make_home(cards: Cards, base: str = "") -> dash.Dash:
    """Both pages; their assets are served below HOME. base: the prefix below which a proxy shows the pages."""
    app = new_page("Studies – tal-search", f"{base}{HOME}")
    app.layout = _frame
    front.register(app, cards)
    compare.register(app, cards)

    @app.callback(Output("content", "children"), Input("url", "pathname"), State("url", "search"))
    def content(path: str | None, search: str | None) -> list[Component]:
        return compare.compare_layout(cards, search or "") if path == based(COMPARE) else front.front_layout(cards)

    sealed(app)
    return app


def _frame() -> html.Div:
    return html.Div([
        dcc.Location(id="url", refresh=False),
        html.A("Skip to the content", href="#content", className="skip"),
        site_links(),
        html.Main(html.P("Reading the studies …", className="loading"), id="content", tabIndex="-1"),
    ])  # fmt: skip
