"""Breakdown figure: certain differences stand out, and many classes are cut."""

from __future__ import annotations

import numpy as np

from tal_dashboards.data.group_scores import Group
from tal_dashboards.figures.breakdown_figures import MOST_GROUPS, Breakdown, breakdown_figure
from tal_dashboards.views import breakdown
from tal_search.results.breakdown.by_group import by_group, most_affected
from tests.support.drawn_runs import one_at_a_time
from tests.support.made_up_groups import AXIS, group_scores, study


def part_of(groups: int, shift: float) -> Breakdown:
    data = study(one_at_a_time(2, 4))
    table = by_group(data, AXIS, group_scores(data, groups, shift))
    named = {f"g{place}": Group(f"g{place}", "", place + 1) for place in range(groups)}
    return Breakdown(
        axis=AXIS, symbol="a", by="class", score="AP@0.5", table=table, read=35, unread=0, finished=35,
        groups=[named[name] for name in most_affected(table)],
    )  # fmt: skip


def test_what_is_certain_is_bold_all_else_pale_and_many_classes_are_cut_with_a_word() -> None:
    part = part_of(40, -9.0)
    figure = breakdown_figure(part)
    pale, strong, numbers, *_ = figure.data
    assert pale.z.shape == (3, MOST_GROUPS)
    assert part.groups[0].name == "g39"
    assert [place for place, one in enumerate(numbers.text) if one.startswith("<b>")] == [0]
    assert numbers.text[0] == f"<b>{strong.z[0, 0]:+.1f}</b>"
    rows = part.table[part.table["group"].isin([one.name for one in part.shown]) & ~part.table["centre"]]
    certain = rows["verdict"].isin(["better", "worse"])
    assert np.isfinite(strong.z).sum() == certain.sum() == 1
    assert np.isfinite(pale.z).sum() == (~certain).sum()
    assert (figure.layout.xaxis.ticktext[0], figure.layout.xaxis2.ticktext[0]) == ("g39", "40")
    assert strong.zmin == -strong.zmax
    assert f"The {MOST_GROUPS} most affected of 40 classes" in breakdown.caption(part)
    assert breakdown.answer(part).startswith("a: 1 of 120 differences to the centre are certain. Worse: 1, most g39")
    assert "120 differences of the table" in breakdown.caption(part), "also of those that are not drawn"
