"""The page /compare?studies=a,b, which compares several studies."""

from __future__ import annotations

import dash
from dash import Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components
from tal_dashboards.data.study_data import selection_of
from tal_dashboards.home.cards import Cards
from tal_dashboards.home.comparison import (
    MOST_STUDIES,
    Comparison,
    chosen_studies,
    comparison_info,
    comparison_tables,
)
from tal_dashboards.home.comparison_figures import bars_figure, curves_figure, drawn_axes, figure_words
from tal_dashboards.home.front import nothing_run
from tal_dashboards.home.links import compare_query, study_address
from tal_search.errors import InputError
from tal_search.record.record_reader import RecordReader

CURVES = "Mean of each value as the difference to the study's own centre (diamond), in points; all on one scale."


def compare_layout(cards: Cards, search: str) -> list[Component]:
    """The page with a placeholder for its figures, which `compare_part` fills."""
    present = cards.names()
    if not present:
        return [html.H1("Compare studies"), nothing_run(cards.runs)]
    chosen, _ = chosen_studies(named(search), present)
    options = [{"label": name, "value": name} for name in present]
    control = dcc.Dropdown(options, chosen, id="compare-studies", multi=True, clearable=False)
    return [
        html.H1("Compare studies"),
        html.Div(components.chosen(f"Studies, at most {MOST_STUDIES}", control), className="choose"),
        html.Div(html.P("Reading the studies …", className="loading"), id="compare-part"),
    ]  # fmt: skip


def named(search: str | None) -> list[str]:
    """Names of the studies in a query."""
    return [name for name in selection_of(search or "").get("studies", "").split(",") if name]


def compare_part(cards: Cards, search: str) -> list[Component]:
    """The comparison of the studies in a query, with a message for each that cannot be shown."""
    chosen, problem = chosen_studies(named(search), cards.present())
    notices = [html.P(problem, role="alert")] if problem else []
    loaded, broken = {}, []
    for name in chosen:
        try:
            loaded[name] = cards.standing(name), cards.overview(name)
            damage = RecordReader(cards.runs / name).damage()
            broken += [html.P(f"{damage}.", role="alert")] if damage else []
        except InputError as error:
            broken.append(html.P(str(error), role="alert"))
    if len(chosen) < 2:
        notices.append(html.P("Choose two studies or more; each is compared with its own centre."))
    if not loaded:
        return [*notices, *broken]
    info = comparison_info(loaded)
    if info.axes.empty:
        return [*notices, *broken, html.P("No trial of these studies is finished yet.")]
    tables = comparison_tables(info)
    curves = [("Value by value", CURVES, "curves")] if drawn_axes(info) else []
    return [
        *notices, *broken,
        *(_abreast(info, *part) for part in [("Effect of each axis", figure_words(info), "bars"), *curves]),
        components.table(tables["studies"], "The studies (mAP in %, with 95 % intervals)", "compare-table-studies"),
        components.table(tables["axes"], "Worst and best value of each axis, against the study's own centre",
                         "compare-table-axes"),
    ]  # fmt: skip


def _abreast(info: Comparison, title: str, words: str, kind: str) -> html.Section:
    """One figure per study, side by side on wide screens."""
    drawn = html.Div([_figure(info, name, kind) for name in info.names], className="abreast")
    return html.Section([html.H2(title), html.P(words, className="quiet"), drawn])


def _figure(info: Comparison, study: str, kind: str) -> html.Div:
    drawn = (bars_figure if kind == "bars" else curves_figure)(info, study)
    row = info.studies.set_index("study").loc[study]
    badge = html.Strong(str(row["simulated"]), className="badge")
    words = f"{row['method']} on {row['data set']}"
    return html.Div([
        html.H3([html.A(study, href=study_address(study)), " ", badge]),
        components.graph({"type": f"compare-{kind}", "study": study}, drawn, words),
    ])  # fmt: skip


def register(app: dash.Dash, cards: Cards) -> None:
    """Register the callbacks that draw the studies of the address, and write the chosen ones into the address."""

    @app.callback(
        Output("compare-part", "children"), Input("url", "search"), State("url", "pathname"),
        Input("compare-studies", "id"),
    )  # fmt: skip
    def part(search: str | None, _: str, __: object) -> list[Component]:
        return compare_part(cards, search or "")

    @app.callback(
        Output("url", "search"), Input("compare-studies", "value"), State("url", "search"), prevent_initial_call=True
    )
    def write(chosen: list[str] | None, search: str | None) -> str:
        if (chosen or []) == chosen_studies(named(search), cards.present())[0]:
            raise PreventUpdate
        return compare_query(chosen or [])
