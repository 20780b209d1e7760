"""Figures of view 8: instances, clicks, class activation sequences, affinity and detections of one video over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tal_dashboards import style
from tal_search.types import Floats

BACKGROUND = "background"
ROW = {"truth": 26, "cas": 15, "affinity": 14, "detections": 150}  # pixels: a class, a class, a tap, all
LEGEND = 64  # pixels; on a narrow screen it is scrolled, and leaves the rows their place


class Track(NamedTuple):
    """What one fit, `name` in words, makes of the video, whose features last `duration` seconds.

    cas [C+1, T], the background last, and affinity [h, T], the similarity of a snippet with its h neighbours; None
    where the fit keeps none of this video, or its method has none. detections: `label`, `start`, `end` (seconds),
    `score`, the best first; found: how many there are.
    """

    key: str
    name: str
    duration: float | None
    cas: Floats | None
    affinity: Floats | None
    detections: pd.DataFrame
    found: int


class _Row(NamedTuple):
    """One row of the figure: what is drawn, of which track, its title and its height in pixels."""

    kind: str
    track: Track | None
    title: str
    height: int


def timeline_figure(
    truth: pd.DataFrame, clicks: pd.DataFrame, tracks: list[Track], classes: Sequence[str], duration: float, at: float
) -> go.Figure:
    """Rows over one axis of seconds; both fits share the colours of classes and of activations."""
    rows = _rows(truth, clicks, tracks)
    drawn = make_subplots(
        rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=24 / sum(row.height + 24 for row in rows),
        row_heights=[row.height for row in rows], subplot_titles=[style.text(row.title) for row in rows],
    )  # fmt: skip
    highest = max([1.0, *(float(track.cas.max()) for track in tracks if track.cas is not None)])
    _dress(drawn, 120 + sum(row.height + 24 for row in rows), highest)
    for place, row in enumerate(rows, 1):
        if row.kind == "truth":
            _draw_truth(drawn, place, truth, clicks, classes)
        elif row.kind == "cas" and row.track is not None:
            _draw_cas(drawn, place, row.track, classes)
        elif row.kind == "affinity" and row.track is not None:
            _draw_affinity(drawn, place, row.track)
        elif row.track is not None:
            _draw_detections(drawn, place, row.track, classes)
    drawn.update_xaxes(range=[0, duration])
    drawn.update_xaxes(title={"text": "time (s)"}, row=len(rows), col=1)
    drawn.add_shape(marker(at))
    return drawn


def marker(at: float) -> dict[str, Any]:
    """A line through all rows at the chosen moment."""
    return {
        "type": "line", "x0": at, "x1": at, "xref": "x", "y0": 0, "y1": 1, "yref": "paper",
        "line": {"color": style.INK, "width": 1, "dash": "dot"},
    }  # fmt: skip


def _lines(truth: pd.DataFrame, clicks: pd.DataFrame) -> set[str]:
    """What has a line of its own among instances and clicks."""
    return set(truth["label"]) | set(clicks["label"].where(clicks["label"] != "", BACKGROUND))


def _rows(truth: pd.DataFrame, clicks: pd.DataFrame, tracks: list[Track]) -> list[_Row]:
    lines = _lines(truth, clicks)
    rows = [_Row("truth", None, "instances and clicks" if len(clicks) else "instances", ROW["truth"] * len(lines) + 10)]
    for track in tracks:
        if track.cas is not None:
            rows.append(_Row("cas", track, "class activations", ROW["cas"] * len(track.cas)))
        if track.affinity is not None:
            height = max(30, ROW["affinity"] * len(track.affinity))
            rows.append(_Row("affinity", track, "similarity with neighbours, 1 blue, −1 red", height))
        rows.append(_Row("detections", track, "detections by score", ROW["detections"]))
    named = {id(row.track): place for place, row in reversed([*enumerate(rows)]) if row.track}  # the first of each
    for track in tracks:
        place = named[id(track)]
        rows[place] = rows[place]._replace(title=f"{track.name}: {rows[place].title}")
    return rows


def _dress(drawn: go.Figure, height: int, highest: float) -> None:
    """The common style; each sequence has its colours, shared by the rows of both fits. highest: of the activations."""
    common = style.figure("", "", height=height).layout.to_plotly_json()
    axes = {name: {**common.pop(name)} for name in ("xaxis", "yaxis")}
    for axis in axes.values():
        axis.pop("title", None)
    drawn.update_layout(**common)
    drawn.update_xaxes(**axes["xaxis"])
    drawn.update_yaxes(**axes["yaxis"])
    drawn.update_annotations(font={"size": 13}, x=0, xanchor="left")  # titles of the rows
    # No threshold lies below 0, where most values are; the colours tell apart what lies above it.
    bar = {"thickness": 12, "len": 160, "lenmode": "pixels", "x": 1.0, "y": 0.9, "title": {"text": "CAS"}}
    drawn.update_layout(
        margin={"t": 64},
        legend={"maxheight": LEGEND},
        coloraxis={"colorscale": style.SEQUENTIAL, "colorbar": bar, "cmin": 0, "cmax": highest},
        coloraxis2={"colorscale": style.DIVERGING, "cmin": -1, "cmax": 1, "showscale": False},
    )


def _colour(label: str, classes: Sequence[str]) -> str:
    return style.COLOURS[classes.index(label) % len(style.COLOURS)] if label in classes else style.GREY


def _draw_truth(
    drawn: go.Figure, place: int, truth: pd.DataFrame, clicks: pd.DataFrame, classes: Sequence[str]
) -> None:
    """A thick line an instance, on the line of its class; a tick a click."""
    for label, rows in truth.groupby("label", sort=False):
        x, y = _with_gaps(rows, [style.text(label)] * len(rows))
        drawn.add_scatter(
            x=x, y=y, mode="lines", line={"color": _colour(str(label), classes), "width": 14}, showlegend=False,
            hovertemplate="%{x:.1f} s<extra>%{y}</extra>", row=place, col=1,
        )  # fmt: skip
    for kind, rows in clicks.groupby("kind", sort=False):
        drawn.add_scatter(
            x=rows["time"], y=[style.text(label or BACKGROUND) for label in rows["label"]], mode="markers",
            marker={"symbol": "line-ns-open", "size": 16, "color": style.INK, "line": {"width": 2}},
            name=style.text(kind), hovertemplate="%{x:.1f} s<extra>%{fullData.name}</extra>", row=place, col=1,
        )  # fmt: skip
    drawn.update_yaxes(type="category", range=[-0.7, len(_lines(truth, clicks)) - 0.3], row=place, col=1)


def _with_gaps(rows: pd.DataFrame, heights: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """One line a row from start to end at its height, all in one trace."""
    x: list[Any] = []
    y: list[Any] = []
    for start, end, height in zip(rows["start"].round(3).tolist(), rows["end"].round(3).tolist(), heights, strict=True):
        x += [start, end, None]
        y += [height, height, None]
    return x, y


def _seconds(track: Track, snippets: int) -> dict[str, float]:
    """Where the snippets of a sequence lie: the first one's centre and the distance of two, in seconds."""
    step = (track.duration or 1.0) / snippets
    return {"x0": step / 2, "dx": step}


def _draw_cas(drawn: go.Figure, place: int, track: Track, classes: Sequence[str]) -> None:
    assert track.cas is not None
    drawn.add_heatmap(
        z=track.cas.astype(np.float32), y=[style.text(name) for name in (*classes, BACKGROUND)], coloraxis="coloraxis",
        hovertemplate="%{x:.1f} s, %{y}: %{z:.2f}<extra></extra>", row=place, col=1,
        **_seconds(track, track.cas.shape[1]),
    )  # fmt: skip
    drawn.update_yaxes(type="category", autorange="reversed", tickfont={"size": 10}, dtick=1, row=place, col=1)


def _draw_affinity(drawn: go.Figure, place: int, track: Track) -> None:
    assert track.affinity is not None
    offsets = _offsets(track)
    drawn.add_heatmap(
        z=track.affinity.astype(np.float32), y=[f"{offset:+d}" for offset in offsets], coloraxis="coloraxis2",
        hovertemplate="%{x:.1f} s, neighbour %{y}: %{z:.2f}<extra></extra>", row=place, col=1,
        **_seconds(track, track.affinity.shape[1]),
    )  # fmt: skip
    drawn.update_yaxes(type="category", dtick=1, tickfont={"size": 10}, row=place, col=1)


def _offsets(track: Track) -> list[int]:
    """Of the neighbours of a snippet, in snippets."""
    assert track.affinity is not None
    return [tap - len(track.affinity) // 2 for tap in range(len(track.affinity))]


def _draw_detections(drawn: go.Figure, place: int, track: Track, classes: Sequence[str]) -> None:
    """A line a detection at the height of its score; the legend names a class once."""
    named = {trace.legendgroup for trace in drawn.data}
    drawn.add_scatter(x=[None], y=[None], showlegend=False, row=place, col=1)  # axes even without any detection
    for label, rows in track.detections.groupby("label", sort=False):
        x, y = _with_gaps(rows, rows["score"].round(4).tolist())
        drawn.add_scatter(
            x=x, y=y, mode="lines+markers", line={"color": _colour(str(label), classes), "width": 3},
            marker={"size": 5, "symbol": "line-ns-open"}, name=style.text(label), legendgroup=style.text(label),
            hovertemplate="%{x:.1f} s, score %{y:.3f}<extra>%{fullData.name}</extra>", row=place, col=1,
            showlegend=style.text(label) not in named,
        )  # fmt: skip
    drawn.update_yaxes(title={"text": "score"}, row=place, col=1)


def mask_table(tracks: list[Track], at: float) -> pd.DataFrame:
    """Of the snippet at a second: `trial`, `neighbour` (how many snippets away), `seconds` (its centre), `similarity`.

    Neighbours outside the video are left out.
    """
    rows = []
    for track in tracks:
        if track.affinity is None or track.duration is None:
            continue
        snippets = track.affinity.shape[1]
        here = min(int(at / track.duration * snippets), snippets - 1)
        for offset, value in zip(_offsets(track), track.affinity[:, here].tolist(), strict=True):
            if 0 <= here + offset < snippets:
                rows.append((track.name, offset, (here + offset + 0.5) * track.duration / snippets, value))
    return pd.DataFrame(rows, columns=["trial", "neighbour", "seconds", "similarity"])


def mask_figure(mask: pd.DataFrame) -> go.Figure:
    drawn = style.figure("neighbour (snippets away)", "cosine similarity", height=280)
    for place, (name, rows) in enumerate(mask.groupby("trial", sort=False)):
        drawn.add_bar(
            x=rows["neighbour"], y=rows["similarity"], name=style.text(name), customdata=rows["seconds"],
            marker={"color": style.COLOURS[place]}, showlegend=True,
            hovertemplate="%{x} (%{customdata:.1f} s): %{y:.3f}",
        )  # fmt: skip
    drawn.update_xaxes(dtick=1)
    drawn.update_yaxes(range=[-1.05, 1.05])
    return drawn
