"""Colour scale of differences to the centre, shared by all figures: centred on 0, grey within the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

from tal_dashboards import style
from tal_dashboards.style import BETTER, WORSE

Settings: TypeAlias = Mapping[str, object]  # keyword arguments of a Plotly trace, or a part of them
LEAST_TINT = 0.25  # share of the full colour at the edge of the noise
NOISE_SHARE = 0.6  # of the scale that the noise takes at most
BAR = {
    "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "thickness": 10, "len": 1.0,
    "ypad": 0, "xpad": 0, "outlinewidth": 0, "ticks": "outside", "ticklen": 3,
}  # fmt: skip


def mixed(colour: str, share: float, ground: str = style.GRID) -> str:
    """A "#RRGGBB" colour mixed with the ground; share: of the colour."""
    above, below = ([int(text[place : place + 2], 16) for place in (1, 3, 5)] for text in (colour, ground))
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02X}" for a, b in zip(above, below, strict=True))


def reach(largest: float, noise: float) -> float:
    """The end of the scale in points: the largest difference, or farther if the noise would take most of the scale."""
    floor = 0.0 if math.isnan(noise) else noise / NOISE_SHARE
    return max(floor, 0.0 if math.isnan(largest) else largest) or 1.0


def colour_scale(end: float, noise: float, ends: tuple[str, str] = (WORSE, BETTER)) -> list[list[float | str]]:
    """Plotly's `colorscale` from −end to end; ends: its two colours."""
    less, more = ends
    if math.isnan(noise) or noise <= 0:
        return [[0, less], [0.5, style.GRID], [1, more]]
    half = noise / end / 2
    return [
        [0, less], [0.5 - half, mixed(less, LEAST_TINT)], [0.5 - half, style.GRID],
        [0.5 + half, style.GRID], [0.5 + half, mixed(more, LEAST_TINT)], [1, more],
    ]  # fmt: skip


def colour_of(difference: float, end: float, noise: float) -> str:
    """The colour of one difference on the scale."""
    quiet = 0.0 if math.isnan(noise) else noise
    if abs(difference) <= quiet:
        return style.GRID
    share = min(1.0, (abs(difference) - quiet) / (end - quiet))
    least = LEAST_TINT if quiet else 0.0
    return mixed(BETTER if difference > 0 else WORSE, least + (1 - least) * share)


def bar(words: str) -> Settings:
    """The colour bar above a figure; words: the name of its numbers, in points, short enough for a phone."""
    return {**BAR, "title": {"text": style.text(f"{words} (points)"), "side": "top"}}
