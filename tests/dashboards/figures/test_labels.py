"""Placement of names: none overlaps another, a point or an obstacle, nor leaves the plot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tal_dashboards.figures.labels import LETTER, LINE, WRAP, Bar, Named, Place, places, wrapped

WIDTHS, HEIGHT = (366.0, 1352.0), 420.0
points = st.lists(
    st.builds(
        Named, x=st.floats(0.05, 0.95), y=st.floats(10, 400),
        name=st.sampled_from(["BackTAL", "SF-Net", "Representative segments", "a"]),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


def box_of(point: Named, place: Place, width: float) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a name in pixels."""
    lines = wrapped(point.name)
    wide, high = LETTER * max(map(len, lines)) / 2, LINE * len(lines) / 2
    x, y = point.x * width + place.right, point.y + place.up
    return x - wide, x + wide, y - high, y + high


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


@given(points)
def test_names_stand_apart_from_one_another_and_from_points_at_every_width(named: list[Named]) -> None:
    found = places(named, [], WIDTHS, HEIGHT)
    for width in WIDTHS:
        boxes = [box_of(point, place, width) for point, place in zip(named, found, strict=True) if place is not None]
        for number, box in enumerate(boxes):
            assert box[0] >= 0
            assert box[1] <= width
            assert not any(overlap(box, other) for other in boxes[number + 1 :])
            for point in named:
                assert not overlap(box, (point.x * width, point.x * width, point.y, point.y))


def test_a_name_stands_beside_its_point_unless_an_obstacle_is_there() -> None:
    point = Named(0.5, 200, "BackTAL")
    assert places([point], [], WIDTHS, HEIGHT)[0] == Place(8 + (7 * LETTER + 2) / 2, 0, True)
    (moved,) = places([point], [Bar(0.5, 1.0, 200, 200)], WIDTHS, HEIGHT)
    assert moved is not None
    assert moved.right < 0
    assert places([point], [Bar(0, 1, 0, HEIGHT)], WIDTHS, HEIGHT) == [None]


def test_long_names_are_wrapped() -> None:
    assert all(len(line) <= WRAP for line in wrapped("Representative segments of videos"))
    assert wrapped("") == [""]
