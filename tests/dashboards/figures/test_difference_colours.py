"""Colours of differences: none within the noise, the more saturated the larger the difference."""

from __future__ import annotations

import math

import pytest

from tal_dashboards import style
from tal_dashboards.figures.difference_colours import BETTER, WORSE, bar, colour_of, colour_scale, mixed, reach


def test_the_scale_ends_at_the_largest_difference_and_leaves_room_beside_the_noise() -> None:
    assert reach(10.0, 1.0) == 10.0
    assert reach(1.0, 3.0) == pytest.approx(5.0), "the noise takes 60 % of it"
    assert (reach(2.0, math.nan), reach(0.0, math.nan), reach(math.nan, math.nan)) == (2.0, 1.0, 1.0)


def test_differences_within_the_noise_have_no_colour_and_larger_ones_are_stronger() -> None:
    assert colour_of(1.0, 10.0, 2.0) == colour_of(-2.0, 10.0, 2.0) == style.GRID
    assert (colour_of(10.0, 10.0, 2.0), colour_of(-10.0, 10.0, 2.0)) == (BETTER, WORSE)
    blues = [int(colour_of(size, 10.0, 2.0)[1:3], 16) for size in (2.1, 4, 6, 8, 10)]
    assert blues == sorted(blues, reverse=True)
    assert mixed("#FF0000", 0.5, "#000000") == "#800000"


@pytest.mark.parametrize("noise", [0.0, math.nan, 2.0])
def test_plotlys_scale_is_symmetric_and_grey_as_far_as_the_noise(noise: float) -> None:
    scale = colour_scale(10.0, noise)
    places = [place for place, _ in scale]
    assert places == sorted(places)
    assert places == pytest.approx([1 - place for place in reversed(places)])
    assert (scale[0], scale[-1]) == ([0, WORSE], [1, BETTER])
    grey = [place for place, colour in scale if colour == style.GRID]
    assert (grey[0], grey[-1]) == pytest.approx((0.4, 0.6) if noise == 2.0 else (0.5, 0.5))
    assert bar("<b>")["title"] == {"text": "&lt;b&gt; (points)", "side": "top"}
