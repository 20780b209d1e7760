"""View 4: one finished fit scored again at other inference settings, from the activations that it kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import dcc, html

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
from tal_dashboards.data.study_data import Selection, StudyData
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.types import criterion

TITLE = "Inference playground"
OWN, CHOSEN, HOLDOUT, LEAKY = "the study's", "the sliders'", "best on holdout", "best on test (leaky)"
BEST = {"holdout": HOLDOUT, "test": LEAKY}


class PlaygroundInfo(NamedTuple):
    """settings: by role, OWN and CHOSEN, and the best of those known: recorded by the study or chosen here.

    swept: along the slider `varied`, the rest as chosen; empty where no slider was selected. criterion: what settings
    are compared by, "0.5", or "average" where .5 is not evaluated.
    """

    key: str
    tiou: tuple[float, ...]
    criterion: str
    settings: dict[str, Scored]
    varied: str
    swept: list[Scored]


def info(data: StudyData, selection: Selection) -> PlaygroundInfo | None:
    """Selected by `trial`, `playground-SLIDER` and `playground-sweep`; None where no fit keeps activations.

    Raises InputError where what is selected leaves no threshold.
    """
    found = now(data, selection)
    return found and with_sweep(data, found, selection.get("playground-sweep", ""))


def now(data: StudyData, selection: Selection) -> PlaygroundInfo | None:
    """The same without the sweep: one setting is localized and scored."""
    key = chosen_fit(data, selection, lambda folder: folder.cas)
    if key is None:
        return None
    known, own = recorded(data, key), own_inference(data, key)
    (chosen,) = rescored(data, key, [chosen_settings(own, selection)])
    compared = criterion(data.tiou)
    best = {role: best_on(split, [*known.values(), chosen], data.tiou, compared) for split, role in BEST.items()}
    roles = {OWN: known[own], CHOSEN: chosen, **best}
    return PlaygroundInfo(key, data.tiou, compared, {role: one for role, one in roles.items() if one}, "", [])


def with_sweep(data: StudyData, found: PlaygroundInfo, slider: str) -> PlaygroundInfo:
    wanted = along(found.settings[CHOSEN].inference, slider) if slider in SLIDERS else []
    return found._replace(varied=slider if wanted else "", swept=rescored(data, found.key, wanted))


def picked(selection: Selection, slider: str, own: Inference) -> float | None:
    """The selected value of a slider; None where there is none in its range."""
    low, high, _ = slider_range(slider, own)
    try:
        value = float(selection.get(f"playground-{slider}", ""))
    except ValueError:
        return None
    return value if low <= value <= high else None


def chosen_settings(own: Inference, selection: Selection) -> Inference:
    """The fit's own settings, changed by what is selected."""
    values: dict[str, Any] = {name: picked(selection, name, own) for name in SLIDERS}
    wanted = dataclasses.replace(own, **{name: value for name, value in values.items() if value is not None})
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
    """mAP on the test videos, a line a role; what was chosen by test scores is hollow."""
    drawn = style.figure("tIoU threshold", "test mAP (%)")
    for place, (role, found) in enumerate(info.settings.items()):
        marker = style.MARKERS[place] + ("-open" if role == LEAKY else "")
        drawn.add_scatter(
            x=list(info.tiou), y=list(found.test), name=role, mode="lines+markers",
            marker={"symbol": marker, "size": 9}, line={"dash": style.DASHES[place], "color": style.COLOURS[place]},
            hovertemplate="tIoU %{x}: %{y:.2f} %",
        )  # fmt: skip
    return drawn


def sweep_figure(info: PlaygroundInfo) -> go.Figure:
    """mAP along one slider on both splits; the best by held-out videos is filled, the best by test videos hollow."""
    field = FIELDS[info.varied]
    drawn = style.figure(f"{field.metadata['symbol']} ({info.varied})", f"{compared_by(info.criterion)} (%)")
    for place, (split, role) in enumerate(BEST.items()):
        best = best_on(split, info.swept, info.tiou, info.criterion)
        if best is None:
            continue
        values = [at(one.on(split), info.tiou, info.criterion) for one in info.swept]
        places = [getattr(one.inference, info.varied) for one in info.swept]
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
    """The settings of every role with their scores on test videos, and the same along the slider."""
    if info is None:
        return {}
    found = {"settings": _table(info, info.settings)}
    if info.swept:
        named = {style.value(getattr(one.inference, info.varied)): one for one in info.swept}
        found["along a slider"] = _table(info, named).rename(columns={"settings": info.varied})
    return found


def _table(info: PlaygroundInfo, settings: dict[str, Scored]) -> pd.DataFrame:
    rows = [
        {
            "settings": name,
            **{FIELDS[slider].metadata["symbol"]: getattr(found.inference, slider) for slider in SLIDERS},
            **{f"mAP@{tiou:g}": value for tiou, value in zip(info.tiou, found.test, strict=True)},
            "average": float(np.mean(found.test)),
            f"holdout {compared_by(info.criterion)}": at(found.holdout, info.tiou, info.criterion),
        }
        for name, found in settings.items()
    ]
    return pd.DataFrame(rows)


def layout(data: StudyData, selection: Selection) -> Any:
    key = chosen_fit(data, selection, lambda folder: folder.cas)
    if key is None:
        return components.empty(
            "No finished trial keeps activations, which are what is scored again.", f"tal-search run study={data.name}"
        )
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


def _slider(name: str, chosen: float | None, own: Inference) -> Any:
    low, high, step = slider_range(name, own)
    label = f"{FIELDS[name].metadata['symbol']} ({name})"
    control = dcc.Slider(
        low, high, step, marks=None, id=components.name_of(f"playground-{name}"), allow_direct_input=False,
        value=getattr(own, name) if chosen is None else chosen, tooltip={"placement": "bottom", "always_visible": True},
    )  # fmt: skip
    return components.chosen(label, control)


def _result(data: StudyData, selection: Selection) -> Any:
    began = time.perf_counter()
    found = now(data, selection)
    taken = 1000 * (time.perf_counter() - began)
    if found is None:
        return html.P("The trial keeps no activations.", role="alert")
    words = f"Localized and scored anew in {taken:.0f} ms. Scores on test videos; settings chosen by them are leaky."
    if HOLDOUT not in found.settings:
        words += " No training videos were held out: protocol.selection=holdout keeps some to choose settings by."
    return [
        components.opener(offered(data, found.key)[found.key], found.key),
        components.graph(
            "playground-thresholds", thresholds_figure(found), "mAP on the test videos by tIoU threshold."
        ),
        components.table(tables(found)["settings"], words, "playground-settings"),
    ]


def _sweep(data: StudyData, selection: Selection) -> Any:
    if selection.get("playground-sweep", "") not in SLIDERS:
        return []  # at once: it would be localized beside the result, which waits for it
    found = info(data, selection)
    if found is None or not found.swept:
        return []
    caption = f"{SWEPT} settings along {found.varied}, the rest as the sliders are."
    table = tables(found)["along a slider"]
    return [
        components.graph("playground-sweep-figure", sweep_figure(found), caption),
        components.table(table, caption, "playground-sweep-table"),
    ]


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """Every slider scores anew; the sweep comes after it."""
    redrawn(app, "playground-result", lambda selection: _result(open_study(), selection))
    redrawn(app, "playground-sweep", lambda selection: _sweep(open_study(), selection), at_first=True)
