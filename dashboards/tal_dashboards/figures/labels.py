"""Placement of names beside the points of a figure without overlaps, on narrow and wide screens.

Places are computed in pixels for several widths of the figure: a name keeps its distance from its point, while a wider
figure moves the points apart.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

FONT, LETTER, LINE = 11, 7.2, 14.0  # pixels: font size, width of a letter, height of a line
WRAP = 17  # letters in a line
POINT, NEAR, FAR = 6.0, 8.0, 16.0  # pixels: radius of a point; distance of a name without and with a line to its point
STEP, FARTHEST = 7, 260  # pixels: steps in which a name is moved up or down, and the farthest

Box = tuple[float, float, float, float]  # left, right, bottom, top


class Named(NamedTuple):
    """A point with a name. x: share of the plot's width; y: pixels above its bottom."""

    x: float
    y: float
    name: str


class Bar(NamedTuple):
    """An obstacle for names: left and right as shares of the width; low, high and half-thickness in pixels."""

    left: float
    right: float
    low: float
    high: float
    thick: float = POINT


class Place(NamedTuple):
    """The centre of a name relative to its point, in pixels to the right and up; near: no line joins the two."""

    right: float
    up: float
    near: bool


def wrapped(name: str) -> list[str]:
    return textwrap.wrap(name, WRAP) or [name]


def places(points: Sequence[Named], bars: Iterable[Bar], widths: Sequence[float], height: float) -> list[Place | None]:
    """A place for each name, the highest points placed first; None if there is no room at one of the widths.

    bars: other obstacles than the points. widths, height: of the plot within its axes, in pixels.
    """
    around = [Bar(point.x, point.x, point.y, point.y) for point in points]
    taken: dict[float, list[Box]] = {
        width: [_box(bar, width) for bar in itertools.chain(around, bars)] for width in widths
    }
    chosen: list[Place | None] = [None] * len(points)
    for index in sorted(range(len(points)), key=lambda index: -points[index].y):
        point = points[index]
        for place in _candidates(point):
            boxes = {width: _named_box(point, place, width) for width in widths}
            if all(_free(box, taken[width], width, height) for width, box in boxes.items()):
                chosen[index] = place
                for width, box in boxes.items():
                    taken[width].append(box)
                break
    return chosen


def _box(bar: Bar, width: float) -> Box:
    thick = bar.thick
    return bar.left * width - thick, bar.right * width + thick, bar.low - thick, bar.high + thick


def _size(name: str) -> tuple[float, float]:
    lines = wrapped(name)
    return LETTER * max(len(line) for line in lines) + 2, LINE * len(lines)


def _candidates(point: Named) -> Iterator[Place]:
    """Places from the nearest: beside the point, above and below it, then farther up and down with a line."""
    wide, high = (side / 2 for side in _size(point.name))
    yield Place(NEAR + wide, 0, True)
    yield Place(-NEAR - wide, 0, True)
    yield Place(0, NEAR + high, True)
    yield Place(0, -NEAR - high, True)
    for step in range(STEP, FARTHEST, STEP):
        for up, away in itertools.product((step, -step), (FAR, 2 * FAR, 3 * FAR)):
            yield Place(away + wide, up, False)
            yield Place(-away - wide, up, False)


def _named_box(point: Named, place: Place, width: float) -> Box:
    wide, high = (side / 2 for side in _size(point.name))
    x, y = point.x * width + place.right, point.y + place.up
    return x - wide, x + wide, y - high, y + high


def _free(box: Box, taken: list[Box], width: float, height: float) -> bool:
    left, right, bottom, top = box
    if left < 0 or right > width or bottom < 0 or top > height:
        return False
    return not any(left < other[1] and right > other[0] and bottom < other[3] and top > other[2] for other in taken)
