"""Notes on a study or a trial: a text box that keeps unsaved text in the browser, and the callback that saves it."""

from __future__ import annotations

from pathlib import Path

import dash
from dash import MATCH, ClientsideFunction, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from tal_dashboards.app.components import announced
from tal_dashboards.data.notes import MOST_CHARACTERS, read_notes, write_note
from tal_dashboards.data.reader import StudyReader
from tal_search.errors import InputError

STUDY = "study"  # key of the note on the study itself; other notes have the key of a fit


def note_part(folder: Path, key: str = STUDY) -> html.Div:
    """The text box of the note on a fit, or on the study in this folder."""
    try:
        text, problem = read_notes(folder).on("" if key == STUDY else key), ""
    except InputError as error:
        text, problem = "", str(error)
    noted = "study" if key == STUDY else "trial"
    box = dcc.Textarea(
        id=_id("box", key), value=text, rows=text.count("\n") + 1, maxLength=MOST_CHARACTERS, spellCheck=False,
        placeholder=f"Write a note on this {noted}", persistence=f"{folder.name}/{key}", persistence_type="session",
    )  # fmt: skip
    return html.Div([
        html.Label([html.Span(f"Note on this {noted}"), box]),
        html.Button("Save the note", id=_id("save", key), type="button"),
        html.P(problem, id=_id("said", key), **announced()),
        dcc.Store(id=_id("seen", key), data=text),
    ], className="note", id=_id("note", key))  # fmt: skip


def _id(part: str, key: object) -> dict[str, object]:
    return {"type": f"note-{part}", "key": key}


def register(app: dash.Dash, open_study: StudyReader) -> None:
    """Register saving, the only callback that writes to the runs folder, and the mark of unsaved notes."""

    @app.callback(
        Output(_id("said", MATCH), "children"), Output(_id("seen", MATCH), "data"),
        Input(_id("save", MATCH), "n_clicks"), State(_id("box", MATCH), "value"), State(_id("seen", MATCH), "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def save(clicks: int | None, text: str | None, seen: str | None) -> tuple[str, str]:
        if not clicks or ctx.triggered_id is None:
            raise PreventUpdate
        return saved(open_study, str(ctx.triggered_id["key"]), text or "", seen or "")

    app.clientside_callback(
        ClientsideFunction("notes", "mark"), Output(_id("note", MATCH), "className"),
        Input(_id("box", MATCH), "value"), Input(_id("seen", MATCH), "data"),
    )  # fmt: skip


def saved(open_study: StudyReader, key: str, text: str, seen: str) -> tuple[str, str]:
    """Save a note; returns a message for the user and the text now stored, which the next save replaces."""
    folder = open_study.runs / open_study.name
    place = "" if key == STUDY else key
    try:
        if place:
            open_study().folder(place)
        kept = write_note(folder, place, text, seen)
    except InputError as error:
        return str(error), _stored(folder, place, seen)
    return "Saved." if kept else "The note was removed.", kept


def _stored(folder: Path, place: str, seen: str) -> str:
    try:
        return read_notes(folder).on(place)
    except InputError:
        return seen
