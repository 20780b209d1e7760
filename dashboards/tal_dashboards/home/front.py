"""The list of studies: a card each, which fills itself, and the choice of those to compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dash import ALL, MATCH, ClientsideFunction, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components
from tal_dashboards.home.cards import Cards, Standing
from tal_dashboards.home.links import COMPARE, study_address
from tal_dashboards.style import number, value
from tal_search.errors import InputError
from tal_search.results.overview import Overview
from tal_search.results.statistics import around

REFRESH_SECONDS = 10
SIGNS = {"running": "▶", "finished": "✓", "incomplete": "◔", "failed": "✕"}
KNOWN = ("matters", "better", "worse")  # verdicts of what is more than noise
READING, READING_RESULTS = "Reading the study …", "Reading its results …"


def front_layout(cards: Cards) -> list[Any]:
    """The page, its cards still empty."""
    names = cards.names()
    if not names:
        return [html.H1("Studies"), nothing_run()]
    compare = html.A("Compare the chosen studies", href=COMPARE, id="front-compare", className="action")
    return [
        html.H1("Studies"),
        html.P(["Tick two studies or more. ", compare], className="choose"),
        html.Ul(shells(cards, names), id="front-cards", className="cards"),
        dcc.Interval(id="front-tick", interval=1000 * REFRESH_SECONDS),
    ]  # fmt: skip


def nothing_run() -> html.Div:
    return components.empty("No study was run yet.", "tal-search run study=quickstart")


def shells(cards: Cards, names: list[str]) -> list[Any]:
    return [_shell(cards, name) for name in names]


def _shell(cards: Cards, name: str) -> html.Li:
    """A card as it is at once: the rest follows by its own callbacks."""
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


def _id(part: str, study: Any) -> dict[str, Any]:
    return {"type": f"card-{part}", "study": study}


def standing_part(found: Standing, changed: datetime | None) -> list[Any]:
    """State, progress, method and data, and the note."""
    progress, about = found.progress, found.about
    badge = [html.Strong("simulated data", className="badge")] if about.get("source") == "simulated" else []
    words = [f"{progress.done} of {progress.planned} trials" if progress.planned else f"{progress.done} trials"]
    words += [f"{count} {what}" for count, what in ((progress.failed, "failed"), (progress.stopped, "stopped early"))
              if count]  # fmt: skip
    bar = html.Progress(value=str(progress.done), max=str(progress.planned), **components.labelled(words[0]))
    state = html.Span([html.Span(SIGNS[progress.state], **hidden()), f" {progress.state}"],
                      className=f"state {progress.state}")  # fmt: skip
    of = [f"{about['method']} on {about['dataset']}"] if {"method", "dataset"} <= about.keys() else []
    when = "no trial yet" if changed is None else f"changed {changed:%Y-%m-%d %H:%M}"
    note = [html.P(found.note, className="noted")] if found.note else []
    return [
        html.P([state, " ", ", ".join(words)]),
        *([bar] if progress.planned else []),
        html.P([*of, " · " if of else "", html.Span(when, className="when"), " ", *badge], className="quiet"),
        *note,
    ]  # fmt: skip


def hidden() -> Any:
    """The settings of a component that assistive technology leaves out."""
    return {"aria-hidden": "true"}


def numbers_part(found: Overview) -> list[Any]:
    """Best and centre, and the axis that moves the score most."""
    if found.best is None and found.centre is None:
        return [html.P("No trial is finished yet.", className="quiet")]
    leaky = "" if found.best_by == "holdout" else " (chosen on test, leaky)"
    rows = [(_best_label(found), f"{_cell_words(found.best)}: {found.best['cell']}{leaky}")] if found.best else []
    rows += [(f"centre {found.score}", _cell_words(found.centre))] if found.centre else []
    rows += [_top(found)] if len(found.ranking) else []
    return [html.Dl([part for name, words in rows for part in (html.Dt(name), html.Dd(words))])]


def _best_label(found: Overview) -> str:
    """Nothing is called best from one repeat."""
    return f"{'best' if found.best and found.best['n'] > 1 else 'highest'} {found.score}"


def _cell_words(cell: dict[str, Any]) -> str:
    words = f"{number(cell['mean'])}{around(cell['mean'], cell['low'], cell['high'])} %"
    return f"{words}, {cell['n']} run{'s' if cell['n'] > 1 else ''}"


def _top(found: Overview) -> tuple[str, Any]:
    """The row of the greatest effect, with its verdict; a difference that may be noise is not praised."""
    place = int(found.ranking["effect"].abs().fillna(-1.0).to_numpy().argmax())  # cases have the best first
    top: Mapping[Any, Any] = found.ranking.iloc[place].to_dict()
    name = f"{top['symbol']} ({top['name']})" if top["symbol"] else str(top["name"])
    known = str(top["verdict"]) in KNOWN
    verdict = str(top["verdict"]) + (f": {top['needs']}" if top["needs"] else "")
    ends = [_end_words(top, end, found.rows) for end in ("lowest", "highest") if not math.isnan(top[end])]
    words = html.Span(verdict, className="verdict known" if known else "verdict")
    label = "top case" if found.rows == "case" else "top axis"
    return label, [f"{name} ", words, f": {' … '.join(dict.fromkeys(ends))}"]


def _end_words(top: Mapping[Any, Any], end: str, rows: str) -> str:
    """ "-12.7 points at 1"."""
    at = f" at {value(top[f'{end} at'])}" if rows != "case" else ""
    return f"{number(float(top[end]), 1, '+')} points{at}"


def register(app: Any, cards: Cards) -> None:
    """Each card's own callbacks, and the look whether any study changed."""

    @app.callback(
        Output(_id("standing", MATCH), "children"), Output(_id("grown", MATCH), "data"),
        Input(_id("mark", MATCH), "data"), State(_id("mark", MATCH), "id"),
    )  # fmt: skip
    def standing(_: str, place: dict[str, str]) -> tuple[Any, Any]:
        return standing_answer(cards, place["study"])

    @app.callback(
        Output(_id("numbers", MATCH), "children"),
        Input(_id("grown", MATCH), "data"), State(_id("grown", MATCH), "id"), prevent_initial_call=True,
    )  # fmt: skip
    def numbers(grown: str | None, place: dict[str, str]) -> Any:
        return numbers_answer(cards, place["study"]) if grown else []

    @app.callback(
        Output("front-cards", "children"), Output(_id("mark", ALL), "data"),
        Input("front-tick", "n_intervals"), State(_id("mark", ALL), "id"), State(_id("mark", ALL), "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def look(_: int, places: list[dict[str, str]], marks: list[str]) -> tuple[Any, list[Any]]:
        """Cards of other studies are drawn anew; else only those change, in their places, whose studies changed."""
        shown = [place["study"] for place in places]
        if {*cards.present()} != {*shown}:
            return shells(cards, cards.names()), [no_update] * len(places)
        now = [cards.mark(name) for name in shown]
        if now == marks:
            raise PreventUpdate
        return no_update, [no_update if new == old else new for new, old in zip(now, marks, strict=True)]

    app.clientside_callback(
        ClientsideFunction("front", "compare"),
        Output("front-compare", "href"), Input(_id("pick", ALL), "value"), prevent_initial_call=False,
    )  # fmt: skip


def standing_answer(cards: Cards, study: str) -> tuple[Any, str | None]:
    """The first part of a card, and the mark of its numbers, None where there are none to come."""
    if study not in cards.present():
        return html.P("This study is gone.", role="alert"), None
    try:
        found = cards.standing(study)
        changed = cards.changed(study) or found.progress.changed
        return standing_part(found, changed), cards.grown(study, found)
    except InputError as error:
        return html.P(str(error), role="alert"), None


def numbers_answer(cards: Cards, study: str) -> Any:
    """The second part of a card."""
    if study not in cards.present():
        return []
    try:
        return numbers_part(cards.overview(study))
    except InputError as error:
        return html.P(str(error), role="alert")
