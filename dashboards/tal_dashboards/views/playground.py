"""Inference playground view: one finished fit scored anew at other inference settings, from its kept activations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import Dash, dcc, html
from dash.development.base_component import Component, ComponentType

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.app.callbacks import attempt, redrawn
from tal_dashboards.data.fits import chooser, chosen_fit, offered
from tal_dashboards.data.inference_settings import (
    FIELDS,
    SLIDERS,
    SWEPT,
    Scored,
    along,
    at,
    best_on,
    own_inference,
    recorded,
    rescored,
    slider_range,
)
from tal_dashboards.data.numbers import real
from tal_dashboards.data.study_data import Selection, StudyData
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.results.next_runs import run_command
from tal_search.types import criterion

TITLE = "Inference playground"
OWN, CHOSEN, HOLDOUT, LEAKY = "the study's", "the sliders'", "best on holdout", "best on test (leaky)"
BEST = {"holdout": HOLDOUT, "test": LEAKY}


class PlaygroundInfo(NamedTuple):
    """settings: by role: OWN, CHOSEN, and the best of these and those that the study recorded (HOLDOUT, LEAKY).

    swept: along the slider `varied`, other settings as chosen; empty if no slider is swept. criterion: the tIoU that
    settings are compared at, "0.5", or "average" if 0.5 is not evaluated.
    """

    key: str
    tiou: tuple[float, ...]
    criterion: str
    settings: dict[str, Scored]
    varied: str
    swept: list[Scored]


def info(data: StudyData, selection: Selection) -> PlaygroundInfo | None:
    """Selection: `trial`, `playground-SLIDER`, `playground-sweep` (a slider). None if no fit keeps activations.

    Raises InputError: the chosen range of activation thresholds is empty.
    """
    unswept = without_sweep(data, selection)
    return unswept and with_sweep(data, unswept, selection.get("playground-sweep", ""))


def without_sweep(data: StudyData, selection: Selection) -> PlaygroundInfo | None:
    """`info` without the sweep: only the chosen setting is localized and scored."""
    key = chosen_fit(data, selection, lambda folder: folder.cas)
    if key is None:
        return None
    known, own = recorded(data, key), own_inference(data, key)
    (chosen,) = rescored(data, key, [chosen_settings(own, selection)])
    compared = criterion(data.tiou)
    best = {role: best_on(split, [*known.values(), chosen], data.tiou, compared) for split, role in BEST.items()}
    roles = {OWN: known[own], CHOSEN: chosen, **best}
    return PlaygroundInfo(key, data.tiou, compared, {role: scored for role, scored in roles.items() if scored}, "", [])


def with_sweep(data: StudyData, info: PlaygroundInfo, slider: str) -> PlaygroundInfo:
    """Score the settings along a slider, if it is one."""
    wanted = along(info.settings[CHOSEN].inference, slider) if slider in SLIDERS else []
    return info._replace(varied=slider if wanted else "", swept=rescored(data, info.key, wanted))


def picked(selection: Selection, slider: str, own: Inference) -> float | None:
    """The selected value of a slider; None if none is selected or it is out of range."""
    low, high, _ = slider_range(slider, own)
    try:
        value = real(selection.get(f"playground-{slider}", ""))
    except ValueError:
        return None
    return value if low <= value <= high else None


def chosen_settings(own: Inference, selection: Selection) -> Inference:
    """The fit's own settings with the selected values."""
    values: dict[str, Any] = {name: picked(selection, name, own) for name in SLIDERS}
    wanted = replace(own, **{name: value for name, value in values.items() if value is not None})
    if wanted.activation_low >= wanted.activation_high:
        raise InputError(
            f"θ_low is {wanted.activation_low:g} and θ_high is {wanted.activation_high:g}; the first must be smaller"
        )
    return wanted


def figures(info: PlaygroundInfo | None) -> dict[str, go.Figure]:
    if info is None:
        return {}
    drawn = {"mAP by tIoU": thresholds_figure(info)}
    return {**drawn, "along a slider": sweep_figure(info)} if info.swept else drawn


def thresholds_figure(info: PlaygroundInfo) -> go.Figure:
    """mAP on the test videos, a line for each role; settings chosen by test scores are hollow."""
    drawn = style.figure("tIoU threshold", "test mAP (%)")
    for place, (role, scored) in enumerate(info.settings.items()):
        marker = style.MARKERS[place] + ("-open" if role == LEAKY else "")
        drawn.add_scatter(
            x=list(info.tiou), y=list(scored.test), name=role, mode="lines+markers",
            marker={"symbol": marker, "size": 9}, line={"dash": style.DASHES[place], "color": style.COLOURS[place]},
            hovertemplate="tIoU %{x}: %{y:.2f} %",
        )  # fmt: skip
    return drawn


def sweep_figure(info: PlaygroundInfo) -> go.Figure:
    """mAP along one slider on both splits; the best on held-out videos is filled, the best on test videos hollow."""
    field = FIELDS[info.varied]
    drawn = style.figure(f"{field.metadata['symbol']} ({info.varied})", f"{compared_by(info.criterion)} (%)")
    for place, (split, role) in enumerate(BEST.items()):
        best = best_on(split, info.swept, info.tiou, info.criterion)
        if best is None:
            continue
        values = [at(scored.on(split), info.tiou, info.criterion) for scored in info.swept]
        places = [getattr(scored.inference, info.varied) for scored in info.swept]
        colour, hover = style.COLOURS[place], "%{x}: %{y:.2f} %"
        drawn.add_scatter(
            x=places, y=values, name=f"{split} videos", mode="lines+markers", hovertemplate=hover,
            line={"color": colour, "dash": style.DASHES[place]},
        )  # fmt: skip
        symbol = "star-open" if role == LEAKY else "star"
        drawn.add_scatter(
            x=[getattr(best.inference, info.varied)], y=[max(values)], name=role, mode="markers", hovertemplate=hover,
            marker={"symbol": symbol, "size": 16, "color": colour, "line": {"width": 2}},
        )  # fmt: skip
    return drawn


def compared_by(name: str) -> str:
    return "average mAP" if name == "average" else f"mAP@{name}"


def tables(info: PlaygroundInfo | None) -> dict[str, pd.DataFrame]:
    """The settings of every role and those along the slider, with their scores."""
    if info is None:
        return {}
    frames = {"settings": _table(info, info.settings)}
    if info.swept:
        named = {style.value(getattr(scored.inference, info.varied)): scored for scored in info.swept}
        frames["along a slider"] = _table(info, named).rename(columns={"settings": info.varied})
    return frames


def _table(info: PlaygroundInfo, settings: dict[str, Scored]) -> pd.DataFrame:
    rows = [
        {
            "settings": name,
            **{FIELDS[slider].metadata["symbol"]: getattr(scored.inference, slider) for slider in SLIDERS},
            **{f"mAP@{tiou:g}": value for tiou, value in zip(info.tiou, scored.test, strict=True)},
            "average": float(np.mean(scored.test)),
            f"holdout {compared_by(info.criterion)}": at(scored.holdout, info.tiou, info.criterion),
        }
        for name, scored in settings.items()
    ]
    return pd.DataFrame(rows)


def layout(data: StudyData, selection: Selection) -> Component:
    key = chosen_fit(data, selection, lambda folder: folder.cas)
    if key is None:
        return components.empty("No finished trial keeps its activations, which this view scores.", run_command(data))
    own = own_inference(data, key)
    sliders = [_slider(name, picked(selection, name, own), own) for name in SLIDERS]
    varied = {"": "none", **{name: FIELDS[name].metadata["symbol"] for name in SLIDERS}}
    sweep = components.select("playground-sweep", "sweep a slider", varied, selection.get("playground-sweep", ""))
    return html.Section(
        [
            html.Div([chooser(data, selection, key), *sliders, sweep], className="sliders"),
            html.Div(attempt(lambda: _result(data, selection)), id="playground-result"),
            dcc.Loading(html.Div(id="playground-sweep")),
        ]
    )


def _slider(name: str, chosen: float | None, own: Inference) -> Component:
    low, high, step = slider_range(name, own)
    label = f"{FIELDS[name].metadata['symbol']} ({name})"
    control = dcc.Slider(
        low, high, step, marks=None, id=components.name_of(f"playground-{name}"), allow_direct_input=False,
        value=getattr(own, name) if chosen is None else chosen, tooltip={"placement": "bottom", "always_visible": True},
    )  # fmt: skip
    return components.chosen(label, control)


def _result(data: StudyData, selection: Selection) -> ComponentType:
    began = time.perf_counter()
    shown = without_sweep(data, selection)
    taken = 1000 * (time.perf_counter() - began)
    if shown is None:
        return html.P("The trial keeps no activations.", role="alert")
    words = f"Localized and scored anew in {taken:.0f} ms. Scores on test videos; settings chosen by them are leaky."
    if HOLDOUT not in shown.settings:
        words += " No training videos were held out: with protocol.selection=holdout, settings can be chosen on some."
    return [
        components.opener(offered(data, shown.key)[shown.key], shown.key),
        components.graph(
            "playground-thresholds", thresholds_figure(shown), "mAP on the test videos by tIoU threshold."
        ),
        components.table(tables(shown)["settings"], words, "playground-settings"),
    ]


def _sweep(data: StudyData, selection: Selection) -> ComponentType:
    if selection.get("playground-sweep", "") not in SLIDERS:
        return []  # without localizing, which would slow down the result that is computed at the same time
    shown = info(data, selection)
    if shown is None or not shown.swept:
        return []
    caption = f"{SWEPT} settings along {shown.varied}, other settings as on the sliders."
    table = tables(shown)["along a slider"]
    return [
        components.graph("playground-sweep-figure", sweep_figure(shown), caption),
        components.table(table, caption, "playground-sweep-table"),
    ]


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """Every slider scores its setting anew; the sweep follows."""
    redrawn(app, "playground-result", lambda selection: _result(open_study(), selection))
    redrawn(app, "playground-sweep", lambda selection: _sweep(open_study(), selection), at_first=True)
