"""Axes of parallel coordinates: heights, and ranges as text."""

from __future__ import annotations

import pandas as pd
import pytest

from tal_dashboards.figures.parallel import parallel_axis

LOG = parallel_axis("lambda", "λ", pd.Series([0.25, 1.0, 4.0]))
LINEAR = parallel_axis("nms", "tIoU", pd.Series([0.2, 0.4, 0.6]))
CATEGORY = parallel_axis("switch", "switch", pd.Series([True, False, None], dtype=object))


def test_heights_run_from_the_lowest_to_the_highest_value() -> None:
    assert [axis.kind for axis in (LOG, LINEAR, CATEGORY)] == ["log", "linear", "category"]
    assert LOG.heights(pd.Series([0.25, 1.0, 4.0])).tolist() == pytest.approx([0, 0.5, 1])
    assert LINEAR.heights(pd.Series([0.3])).tolist() == pytest.approx([0.25])
    assert CATEGORY.heights(pd.Series([True, None], dtype=object)).tolist() == [0.5, 1.0]
    assert list(CATEGORY.marks().values()) == ["no", "yes", "–"]
    assert LINEAR.marks() == {0.0: "0.2", 1.0: "0.6"}
    assert parallel_axis("one", "one", pd.Series([3, 3])).kind == "category"


@pytest.mark.parametrize(
    ("text", "kept"),
    [("0.25..1", [True, True, False]), ("1 to 4", [False, True, True]), ("1/4", [True, False, False]),
     ("4–1", [False, True, True])],
)  # fmt: skip
def test_a_range_of_numbers_is_kept_with_its_ends(text: str, kept: list[bool]) -> None:
    assert LOG.kept(pd.Series([0.25, 1.0, 4.0]), text).tolist() == kept


def test_a_range_of_names_keeps_those_that_it_lists() -> None:
    values = pd.Series([True, False, None], dtype=object)
    assert CATEGORY.kept(values, "yes | –").tolist() == [True, False, True]
    assert CATEGORY.brushed("yes") == [(0.5, 0.5)]
    with pytest.raises(ValueError, match="maybe"):
        CATEGORY.kept(values, "maybe")
    for wrong in ("<b>", "1..2..3", ""):
        with pytest.raises(ValueError, match=r".*"):
            LOG.kept(pd.Series([1.0]), wrong)


@pytest.mark.parametrize("axis", [LOG, LINEAR])
def test_a_dragged_range_is_read_back_at_the_heights_it_was_dragged_over(axis: object) -> None:
    assert isinstance(axis, type(LOG))
    ((low, high),) = axis.brushed(axis.text_between(0.2, 0.7))
    assert (low, high) == pytest.approx((0.2, 0.7), abs=1e-3)
    assert axis.text_between(-0.1, 1.1) == ""
    assert CATEGORY.text_between(0.4, 1.0) == "yes | –"
    assert CATEGORY.text_between(0.6, 0.65) == "yes", "the nearest"
