"""Timeline figures: instances, clicks, class activation sequences, affinity and detections of one video over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tal_dashboards import style
from tal_dashboards.data.tracks import NOT_SCORED, OUTCOMES, Track, offsets, similarity_range

Kind = Literal["truth", "cas", "affinity", "detections"]
Height = TypeVar("Height", float, str)

BACKGROUND = "background"
ROW: Mapping[Kind, int] = {"truth": 26, "cas": 15, "affinity": 14, "detections": 170}
"""Pixels for each class, class, tap, and for all detections."""
LOOKS = {"hit": ("#009E73", 5, "circle"), "wrong label": ("#CC79A7", 3, "x"), "false": ("#D55E00", 2, "line-ns-open"),
         NOT_SCORED: (style.GREY, 2, "circle-open")}  # fmt: skip
"""Outcome → colour, width of the line, marker at both ends, so that outcomes differ without colour."""
GAP = 36  # pixels between rows, for a title of two lines
TOP = 28  # pixels above the first row, for its title; the legend adds its own


class _Row(NamedTuple):
    """One row of the figure; height in pixels; track: None for the ground truth."""

    kind: Kind
    track: Track | None
    title: str
    height: int


def timeline_figure(
    truth: pd.DataFrame, clicks: pd.DataFrame, tracks: list[Track], classes: Sequence[str], duration: float, at: float
) -> go.Figure:
    """Rows over one time axis in seconds; two fits share the colours of outcomes, activations and similarities."""
    rows = _rows(truth, clicks, tracks)
    whole = sum(row.height + GAP for row in rows)
    drawn = make_subplots(
        rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=GAP / (whole - GAP),
        row_heights=[row.height for row in rows],
        subplot_titles=[style.text(row.title).replace("\n", "<br>") for row in rows],
    )  # fmt: skip
    _dress(drawn, 120 + whole)
    _dress_colours(drawn, rows, tracks)
    for place, row in enumerate(rows, 1):
        if row.track is None:
            _draw_truth(drawn, place, truth, clicks)
        elif row.kind == "cas":
            _draw_cas(drawn, place, row.track, classes)
        elif row.kind == "affinity":
            _draw_affinity(drawn, place, row.track)
        else:
            _draw_detections(drawn, place, row.track)
    drawn.update_xaxes(range=[0, duration])
    drawn.update_xaxes(title={"text": "time (s)"}, row=len(rows), col=1)
    drawn.add_shape(marker(at))
    return drawn


def marker(at: float) -> Mapping[str, object]:
    """The shape of a vertical line through all rows at the chosen moment."""
    return {
        "type": "line", "x0": at, "x1": at, "xref": "x", "y0": 0, "y1": 1, "yref": "paper",
        "line": {"color": style.INK, "width": 1, "dash": "dot"},
    }  # fmt: skip


def _lines(truth: pd.DataFrame, clicks: pd.DataFrame) -> set[str]:
    """Classes of the instances and clicks, background clicks among them; each has a line in the first row."""
    return set(truth["label"]) | set(clicks["label"].where(clicks["label"] != "", BACKGROUND))


def _rows(truth: pd.DataFrame, clicks: pd.DataFrame, tracks: list[Track]) -> list[_Row]:
    lines = _lines(truth, clicks)
    rows = [_Row("truth", None, "instances and clicks" if len(clicks) else "instances", ROW["truth"] * len(lines) + 10)]
    for track in tracks:
        if track.cas is not None:
            rows.append(_Row("cas", track, "class activations", ROW["cas"] * len(track.cas)))
        if track.affinity is not None:
            height = max(30, ROW["affinity"] * len(track.affinity))
            rows.append(_Row("affinity", track, "similarity with neighbours", height))
        rows.append(_Row("detections", track, "detections by score", ROW["detections"]))
    first_rows = {id(row.track): place for place, row in reversed([*enumerate(rows)]) if row.track}
    for track in tracks:
        place = first_rows[id(track)]
        rows[place] = rows[place]._replace(title=f"{track.name}\n{rows[place].title}")
    return rows


def _dress(drawn: go.Figure, height: int) -> None:
    """The style of all figures."""
    common = style.figure("", "", height=height).layout.to_plotly_json()
    axes = {name: common.pop(name) | {"title": None} for name in ("xaxis", "yaxis")}
    drawn.update_layout(**common)
    # Relative to the edge of the figure: relative to the plot, Plotly misplaces it when a narrow figure is widened.
    edge = {"xref": "container", "x": 0, "yref": "container", "y": 1, "yanchor": "top"}
    drawn.update_layout(margin={"t": TOP}, legend=edge)
    drawn.update_xaxes(**axes["xaxis"])
    drawn.update_yaxes(**axes["yaxis"])
    drawn.update_annotations(font={"size": 13}, x=0, xanchor="left", align="left")  # titles of the rows


def _dress_colours(drawn: go.Figure, rows: Sequence[_Row], tracks: Sequence[Track]) -> None:
    """Colour axes of activations and similarities, shared by both fits, with a bar beside the first row of each."""
    highest = max([1.0, *(float(track.cas.max()) for track in tracks if track.cas is not None)])
    low, high = similarity_range(tracks)
    # Most activations are below 0, but no threshold is: the colours start at 0.
    scales: Mapping[Kind, tuple[str, str, float, float, Mapping[float, str] | None]] = {
        "cas": ("coloraxis", "CAS", 0.0, highest, None),
        "affinity": ("coloraxis2", "similarity", low, high, {low: f"≤ {low:.2f}", high: f"≥ {high:.2f}"}),
    }
    for kind, (name, title, least, most, ticks) in scales.items():
        places = [place for place, row in enumerate(rows, 1) if row.kind == kind]
        if not places:
            continue
        middle = sum(drawn.layout[f"yaxis{places[0]}"].domain) / 2
        length = min(160, max(70, rows[places[0] - 1].height))
        bar: dict[str, object] = {
            "thickness": 10, "len": length, "lenmode": "pixels", "x": 1.0, "y": middle, "tickfont": {"size": 11},
            "title": {"text": title, "font": {"size": 11}, "side": "right"}, "ypad": 0,
        }  # fmt: skip
        bar |= {"tickvals": list(ticks), "ticktext": list(ticks.values())} if ticks else {"nticks": 4}
        colours = {"colorscale": style.SEQUENTIAL, "cmin": least, "cmax": most, "colorbar": bar}
        drawn.update_layout({name: colours})


def _draw_truth(drawn: go.Figure, place: int, truth: pd.DataFrame, clicks: pd.DataFrame) -> None:
    """A thick line for each instance, at the height of its class; a tick for each click."""
    for label, rows in truth.groupby("label", sort=False):
        x, y = _with_gaps(rows, [style.text(label)] * len(rows))
        drawn.add_scatter(
            x=x, y=y, mode="lines", line={"color": style.INK, "width": 14}, showlegend=False,
            hovertemplate="%{x:.1f} s<extra>%{y}</extra>", row=place, col=1,
        )  # fmt: skip
    for kind, rows in clicks.groupby("kind", sort=False):
        drawn.add_scatter(
            x=rows["time"], y=[style.text(label or BACKGROUND) for label in rows["label"]], mode="markers",
            marker={"symbol": "line-ns-open", "size": 18, "color": style.COLOURS[5], "line": {"width": 3}},
            name=style.text(kind), hovertemplate="%{x:.1f} s<extra>%{fullData.name}</extra>", row=place, col=1,
        )  # fmt: skip
    drawn.update_yaxes(type="category", range=[-0.7, len(_lines(truth, clicks)) - 0.3], row=place, col=1)


def _with_gaps(rows: pd.DataFrame, heights: Iterable[Height]) -> tuple[list[float | None], list[Height | None]]:
    """A horizontal line for each row from start to end at its height, all in one trace."""
    x: list[float | None] = []
    y: list[Height | None] = []
    for start, end, height in zip(rows["start"].round(3).tolist(), rows["end"].round(3).tolist(), heights, strict=True):
        x += [start, end, None]
        y += [height, height, None]
    return x, y


def _seconds(track: Track) -> dict[str, float]:
    """Centre of the first snippet and distance of two, in seconds, as Plotly's `x0` and `dx`."""
    assert track.times is not None
    step = track.times.step.item()
    return {"x0": track.times.start.item() + step / 2, "dx": step}


def _draw_cas(drawn: go.Figure, place: int, track: Track, classes: Sequence[str]) -> None:
    assert track.cas is not None
    drawn.add_heatmap(
        z=track.cas.astype(np.float32), y=[style.text(name) for name in (*classes, BACKGROUND)], coloraxis="coloraxis",
        hovertemplate="%{x:.1f} s, %{y}: %{z:.2f}<extra></extra>", row=place, col=1,
        **_seconds(track),
    )  # fmt: skip
    drawn.update_yaxes(type="category", autorange="reversed", tickfont={"size": 10}, dtick=1, row=place, col=1)


def _draw_affinity(drawn: go.Figure, place: int, track: Track) -> None:
    """A row for each neighbour; a snippet's similarity with itself, always 1, is drawn only if there is no other."""
    assert track.affinity is not None
    own = [len(track.affinity) // 2] if len(track.affinity) > 1 else []
    drawn.add_heatmap(
        z=np.delete(track.affinity, own, axis=0).astype(np.float32), coloraxis="coloraxis2",
        y=[f"{offset:+d}" for offset in offsets(track) if offset or not own],
        hovertemplate="%{x:.1f} s, neighbour %{y}: %{z:.2f}<extra></extra>", row=place, col=1,
        **_seconds(track),
    )  # fmt: skip
    drawn.update_yaxes(type="category", dtick=1, tickfont={"size": 10}, row=place, col=1)


def _draw_detections(drawn: go.Figure, place: int, track: Track) -> None:
    """A line for each detection at the height of its score, hits on top; the legend names each outcome once."""
    named = {trace.legendgroup for trace in drawn.data}
    drawn.add_scatter(x=[None], y=[None], showlegend=False, row=place, col=1)  # draws the axes without detections too
    for outcome in reversed(OUTCOMES):
        rows = track.detections[track.detections["kind"].isin(OUTCOMES[outcome])]
        if rows.empty:
            continue
        colour, width, symbol = LOOKS[outcome]
        x, y = _with_gaps(rows, rows["score"].round(4).tolist())
        about = [f"{style.text(row.label)}: {row.kind}" for row in rows.itertuples() for _ in range(3)]
        drawn.add_scatter(
            x=x, y=y, mode="lines+markers", line={"color": colour, "width": width}, customdata=about,
            marker={"size": 7, "symbol": symbol, "line": {"width": 2 if symbol.endswith("open") else 0}},
            name=outcome, legendgroup=outcome, legendrank=list(OUTCOMES).index(outcome),
            hovertemplate="%{x:.1f} s, score %{y:.3f}<extra>%{customdata}</extra>", row=place, col=1,
            showlegend=outcome not in named,
        )  # fmt: skip
    drawn.update_yaxes(title={"text": "detection score"}, row=place, col=1)


def mask_figure(mask: pd.DataFrame) -> go.Figure:
    """Similarity by neighbour; points, not bars, so that the y axis need not start at 0."""
    drawn = style.figure("neighbour (snippets away)", "cosine similarity", height=280)
    for place, (name, rows) in enumerate(mask.groupby("trial", sort=False)):
        drawn.add_scatter(
            x=rows["neighbour"], y=rows["similarity"], name=style.text(name), customdata=rows["seconds"],
            mode="lines+markers", showlegend=True, line={"color": style.COLOURS[place], "dash": style.DASHES[place]},
            marker={"size": 10, "symbol": style.MARKERS[place]},
            hovertemplate="%{x} (%{customdata:.1f} s): %{y:.3f}",
        )  # fmt: skip
    drawn.update_xaxes(dtick=1)
    return drawn
