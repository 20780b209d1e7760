"""The front page: one card per study, filled by its own callbacks, and checkboxes that select studies to compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import dash
import pandas as pd
from dash import ALL, MATCH, ClientsideFunction, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component, ComponentType
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components
from tal_dashboards.data.reader import label_of, methods_of
from tal_dashboards.home.cards import Cards, Standing
from tal_dashboards.home.links import COMPARE, based, study_address
from tal_dashboards.style import number, value
from tal_search.errors import InputError
from tal_search.results.overview import Overview
from tal_search.text.commands import command_line, repeated
from tal_search.text.words import around

REFRESH_SECONDS = 10
SIGNS = {"running": "▶", "finished": "✓", "incomplete": "◔", "failed": "✕"}
KNOWN = ("matters", "better", "worse")  # verdicts of effects beyond the noise
READING, READING_RESULTS = "Reading the study …", "Reading its results …"

Hidden = TypedDict("Hidden", {"aria-hidden": str})


def front_layout(cards: Cards) -> list[Component]:
    """The page, with empty cards that their callbacks fill."""
    names = cards.names()
    if not names:
        return [html.H1("Studies"), nothing_run(cards.runs)]
    compare = html.A("Compare the selected studies", href=based(COMPARE), id="front-compare", className="action")
    return [
        html.H1("Studies"),
        html.P(["Tick two studies or more. ", compare], className="choose"),
        html.Ul(shells(cards, names), id="front-cards", className="cards"),
        dcc.Interval(id="front-tick", interval=1000 * REFRESH_SECONDS),
    ]  # fmt: skip


def nothing_run(runs: Path) -> html.Div:
    """The notice for an empty runs folder."""
    return components.empty("No study was run yet.", command_line("run", *repeated("quickstart", runs, ())))


def shells(cards: Cards, names: list[str]) -> list[html.Li]:
    """Empty cards of the studies."""
    return [_shell(cards, name) for name in names]


def _shell(cards: Cards, name: str) -> html.Li:
    """A card with the study's name; callbacks fill in the rest."""
    pick = dcc.Checklist(
        [{"label": f"compare {name}", "value": name}], id=_id("pick", name), persistence=name,
        persistence_type="session", className="pick",
    )  # fmt: skip
    return html.Li([
        html.H2(html.A(name, href=study_address(name))),
        html.Div(html.P(READING, className="loading"), id=_id("standing", name)),
        html.Div(html.P(READING_RESULTS, className="loading"), id=_id("numbers", name)),
        pick,
        dcc.Store(id=_id("mark", name), data=cards.mark(name)), dcc.Store(id=_id("grown", name)),
    ], className="card")  # fmt: skip


def _id(part: str, study: object) -> dict[str, object]:
    return {"type": f"card-{part}", "study": study}


def standing_part(standing: Standing, changed: datetime | None) -> list[Component]:
    """First part of a card: state, progress, method, data set and note."""
    progress, about = standing.progress, standing.about
    badge = [html.Strong(label, className="badge")] if (label := label_of(about)) else []
    words = [f"{progress.done} of {progress.planned} trials" if progress.planned else f"{progress.done} trials"]
    words += [f"{count} {state}" for count, state in ((progress.failed, "failed"), (progress.stopped, "stopped early"))
              if count]  # fmt: skip
    bar = html.Progress(value=str(progress.done), max=str(progress.planned), **components.labelled(words[0]))
    state = html.Span([html.Span(SIGNS[progress.state], **hidden()), f" {progress.state}"],
                      className=f"state {progress.state}")  # fmt: skip
    of = [f"{methods_of(about)} on {about['dataset']}"] if {"method", "dataset"} <= about.keys() else []
    when = "no trial yet" if changed is None else f"changed {changed:%Y-%m-%d %H:%M}"
    note = [html.P(standing.note, className="noted")] if standing.note else []
    return [
        html.P([state, " ", ", ".join(words)]),
        *([bar] if progress.planned else []),
        html.P([*of, " · " if of else "", html.Span(when, className="when"), " ", *badge], className="quiet"),
        *note,
    ]  # fmt: skip


def hidden() -> Hidden:
    """Keyword arguments of a component that screen readers skip."""
    return {"aria-hidden": "true"}


def numbers_part(results: Overview) -> list[Component]:
    """Second part of a card: scores of the best cell and the centre, and the axis with the greatest effect."""
    if results.best is None and results.centre is None:
        return [html.P("No trial is finished yet.", className="quiet")]
    leaky = "" if results.best_by == "holdout" else " (chosen on test, leaky)"
    rows: list[tuple[str, ComponentType]] = []
    if results.best:
        rows.append((_best_label(results), f"{_cell_words(results.best)}: {results.best['cell']}{leaky}"))
    if results.centre:
        rows.append((f"centre {results.score}", _cell_words(results.centre)))
    if len(results.ranking):
        rows.append(_top(results))
    return [html.Dl([part for name, words in rows for part in (html.Dt(name), html.Dd(words))])]


def _best_label(results: Overview) -> str:
    """ "best" only if the cell has more than one repeat."""
    return f"{'best' if results.best and results.best['n'] > 1 else 'highest'} {results.score}"


def _cell_words(cell: Mapping[str, float]) -> str:
    words = f"{number(cell['mean'])}{around(cell['mean'], cell['low'], cell['high'])} %"
    return f"{words}, {cell['n']} run{'s' if cell['n'] > 1 else ''}"


def _top(results: Overview) -> tuple[str, ComponentType]:
    """The row with the greatest effect and its verdict, which stands out only if the effect exceeds the noise."""
    row = int(results.ranking["effect"].abs().fillna(-1.0).to_numpy().argmax())  # cases are sorted by score, not effect
    top = results.ranking.iloc[row]
    name = f"{top['symbol']} ({top['name']})" if top["symbol"] else str(top["name"])
    known = str(top["verdict"]) in KNOWN
    verdict = str(top["verdict"]) + (f": {top['needs']}" if top["needs"] else "")
    ends = [_end_words(top, end, results.rows) for end in ("lowest", "highest") if not math.isnan(top[end])]
    words = html.Span(verdict, className="verdict known" if known else "verdict")
    label = "top case" if results.rows == "case" else "top axis"
    return label, [f"{name} ", words, f": {' … '.join(dict.fromkeys(ends))}"]


def _end_words(top: pd.Series, end: str, rows: str) -> str:
    """ "-12.7 points at 1"."""
    at = f" at {value(top[f'{end} at'])}" if rows != "case" else ""
    return f"{number(float(top[end]), 1, '+')} points{at}"


def register(app: dash.Dash, cards: Cards) -> None:
    """Register the callbacks that fill the cards, and the one that looks for changed studies."""

    @app.callback(
        Output(_id("standing", MATCH), "children"), Output(_id("grown", MATCH), "data"),
        Input(_id("mark", MATCH), "data"), State(_id("mark", MATCH), "id"),
    )  # fmt: skip
    def standing(_: str, card: dict[str, str]) -> tuple[ComponentType, str | None]:
        return standing_answer(cards, card["study"])

    @app.callback(
        Output(_id("numbers", MATCH), "children"),
        Input(_id("grown", MATCH), "data"), State(_id("grown", MATCH), "id"), prevent_initial_call=True,
    )  # fmt: skip
    def numbers(grown: str | None, card: dict[str, str]) -> ComponentType:
        return numbers_answer(cards, card["study"]) if grown else []

    @app.callback(
        Output("front-cards", "children"), Output(_id("mark", ALL), "data"),
        Input("front-tick", "n_intervals"), State(_id("mark", ALL), "id"), State(_id("mark", ALL), "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def look(_: int, ids: list[dict[str, str]], marks: list[str]) -> tuple[object, list[object]]:
        """Redraw all cards if studies were added or removed; else send new marks for the studies that changed."""
        shown = [card["study"] for card in ids]
        if {*cards.present()} != {*shown}:
            return shells(cards, cards.names()), [no_update] * len(ids)
        now = [cards.mark(name) for name in shown]
        if now == marks:
            raise PreventUpdate
        return no_update, [no_update if new == old else new for new, old in zip(now, marks, strict=True)]

    app.clientside_callback(
        ClientsideFunction("front", "compare"),
        Output("front-compare", "href"), Input(_id("pick", ALL), "value"), prevent_initial_call=False,
    )  # fmt: skip


def standing_answer(cards: Cards, study: str) -> tuple[ComponentType, str | None]:
    """The first part of a card and the mark of its results, None if there are none to load."""
    if study not in cards.present():
        return html.P("This study is gone.", role="alert"), None
    try:
        standing = cards.standing(study)
        changed = cards.changed(study) or standing.progress.changed
        return standing_part(standing, changed), cards.grown(study, standing)
    except InputError as error:
        return html.P(str(error), role="alert"), None


def numbers_answer(cards: Cards, study: str) -> ComponentType:
    """The second part of a card, empty for a study that is gone."""
    if study not in cards.present():
        return []
    try:
        return numbers_part(cards.overview(study))
    except InputError as error:
        return html.P(str(error), role="alert")
