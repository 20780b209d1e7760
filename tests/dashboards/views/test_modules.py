"""Modules view: cases beside published rows, and statistics of the clicks."""

from __future__ import annotations

import itertools

import pytest

from tal_dashboards.views import modules
from tests.support.small_dashboards import Made


def test_cases_stand_beside_their_rows_of_the_papers_table(compared: Made) -> None:
    found = modules.info(compared.read(), {})
    (table,) = found.compared.values()
    assert list(found.compared) == ["Table 7"]
    assert table["case"].tolist() == ["baseline + background clicks", "+ score separation", "full"]
    assert table["paper mAP@0.5"].tolist() == [35.0, 35.6, 36.3]
    assert table["verdict"].iloc[0] == "reference"


def test_click_statistics_count_the_clicks_there_are(swept: Made) -> None:
    data = swept.read()
    found = modules.info(data, {})
    key = data.trials["key"].iloc[0]
    rows = found.clicks.set_index(["kind", "annotator"])
    for kind, annotator in itertools.product(("background clicks", "action clicks"), ("A1", "uniform")):
        assert rows.loc[(kind, annotator), "clicks"] == len(data.clicks(key, kind, annotator).time)
    assert rows.loc[("background clicks", "uniform"), "inside an instance (%)"] == 0
    assert rows.loc[("background clicks", "uniform"), "without a click (%)"] == 0
    for table in found.positions.values():
        assert table.drop(columns="% of the way").sum().tolist() == pytest.approx([100] * 5)
