"""Names beside the points of a figure: placed so that none lies on another or on a point, on narrow screens and wide.

All places are computed here, in pixels, for the widths that a figure is drawn at; a name keeps its distance from its
point while a wider figure moves the points apart.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

FONT, LETTER, LINE = 11, 7.2, 14.0  # pixels: size of the letters, width of one, height of a line
WRAP = 17  # letters a line
POINT, NEAR, FAR = 6.0, 8.0, 16.0  # pixels: half a point; from its centre to a name beside it, and with a line to it
STEP, FARTHEST = 7, 260  # pixels that a name is moved up or down

Box = tuple[float, float, float, float]  # left, right, bottom, top


class Named(NamedTuple):
    """A point with a name. x: share of the plot's width; y: pixels above its bottom."""

    x: float
    y: float
    name: str


class Bar(NamedTuple):
    """Something that no name may cover: from where to where, as shares of the width, and up, in pixels."""

    left: float
    right: float
    low: float
    high: float
    thick: float = POINT


class Place(NamedTuple):
    """The centre of a name in pixels from its point, to the right and up; near: it needs no line to its point."""

    right: float
    up: float
    near: bool


def wrapped(name: str) -> list[str]:
    return textwrap.wrap(name, WRAP) or [name]


def places(points: Sequence[Named], bars: Iterable[Bar], widths: Sequence[float], height: float) -> list[Place | None]:
    """A place for each name, the highest point first; None where there is no room on one of the widths.

    bars: beside the points themselves. widths and height: of the plot within its axes, in pixels.
    """
    around = [Bar(point.x, point.x, point.y, point.y) for point in points]
    taken: dict[float, list[Box]] = {
        width: [_box(bar, width) for bar in itertools.chain(around, bars)] for width in widths
    }
    found: list[Place | None] = [None] * len(points)
    for index in sorted(range(len(points)), key=lambda index: -points[index].y):
        point = points[index]
        for place in _candidates(point):
            boxes = {width: _named_box(point, place, width) for width in widths}
            if all(_free(box, taken[width], width, height) for width, box in boxes.items()):
                found[index] = place
                for width, box in boxes.items():
                    taken[width].append(box)
                break
    return found


def _box(bar: Bar, width: float) -> Box:
    thick = bar.thick
    return bar.left * width - thick, bar.right * width + thick, bar.low - thick, bar.high + thick


def _size(name: str) -> tuple[float, float]:
    lines = wrapped(name)
    return LETTER * max(len(line) for line in lines) + 2, LINE * len(lines)


def _candidates(point: Named) -> Iterator[Place]:
    """The nearest first: beside the point, above and below it, then farther up and down with a line."""
    wide, high = (one / 2 for one in _size(point.name))
    yield Place(NEAR + wide, 0, True)
    yield Place(-NEAR - wide, 0, True)
    yield Place(0, NEAR + high, True)
    yield Place(0, -NEAR - high, True)
    for step in range(STEP, FARTHEST, STEP):
        for up, away in itertools.product((step, -step), (FAR, 2 * FAR, 3 * FAR)):
            yield Place(away + wide, up, False)
            yield Place(-away - wide, up, False)


def _named_box(point: Named, place: Place, width: float) -> Box:
    wide, high = (one / 2 for one in _size(point.name))
    x, y = point.x * width + place.right, point.y + place.up
    return x - wide, x + wide, y - high, y + high


def _free(box: Box, taken: list[Box], width: float, height: float) -> bool:
    left, right, bottom, top = box
    if left < 0 or right > width or bottom < 0 or top > height:
        return False
    return not any(left < other[1] and right > other[0] and bottom < other[3] and top > other[2] for other in taken)
