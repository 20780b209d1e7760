"""Grid of cells: its rows, and the colours of its differences."""

from __future__ import annotations

import math

import pytest

from tal_dashboards.style import shown
from tal_dashboards.views import tables
from tal_dashboards.views.parts import cell_grid
from tal_search.results.published import BEST_ON_TEST
from tal_search.types import written
from tests.support.small_dashboards import drawn_rows


@pytest.mark.parametrize("kind", ["swept", "grid", "compared"])
def test_one_grid_holds_the_cells_of_every_table(kind: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(kind).read()
    found, grid = tables.info(data, {}), tables.grid(data, {})
    rows = [dict(zip(grid.heads, row, strict=True)) for row in drawn_rows(grid)]
    wanted = []
    for title, table in found.tables.items():
        values = table.astype(object).to_dict("records")
        for words, row in zip(shown(table).to_dict("records"), values, strict=True):
            own = {name: written(row[name]) for name in data.axes if name in row}
            where = {"axis": title.split()[0], "value": next(iter(own.values()))} if kind == "swept" else own
            paper = words[f"paper {data.score}"] + (" †" if row.get("paper selection") == BEST_ON_TEST else "")
            wanted.append({**words, **where, f"paper {data.score}": paper})
    assert rows == [{name: row[name] for name in grid.heads} for row in wanted]
    assert {"verdict", "n", "mAP@0.3", "mAP@0.7", "average", f"Δ {data.score}"} <= grid.heads.keys()
    assert not {"mAP@0.1", "paper selection"} & grid.heads.keys()


def test_differences_are_filled_where_told_apart_outlined_beyond_the_noise_and_grey_within() -> None:
    looks = [
        cell_grid.shade(delta, verdict, 2.0, 10.0)
        for delta, verdict in [(10, "better"), (-5, "worse"), (1, "better"), (3, "needs repeats"), (-2, "within noise")]
    ]
    names = [look["look"].removeprefix("number delta ") for look in looks]
    assert names == ["better", "worse", "better", "better unsure", "within"]
    depths = [float(look["share"].removesuffix("%")) for look in looks[:4]]
    assert depths == [pytest.approx(share * cell_grid.DEEPEST, abs=0.6) for share in (1, 0.5, 0.1, 0.3)]
    for unknown in (
        cell_grid.shade(9.0, "needs repeats", math.nan, 9.0),
        cell_grid.shade(math.nan, "centre", 1.0, 9.0),
    ):
        assert "share" not in unknown
