"""The summary of a study for its own run in MLflow."""

from __future__ import annotations

import math
import re

from tal_search.results.cell_table import cells
from tal_search.tracking.study_values import note, same, study_values
from tests.support.small_dashboards import Made


def test_cases_stand_beside_the_reference_under_names_that_mlflow_takes(compared: Made) -> None:
    data = compared.frame
    values, found = study_values(data), cells(data).set_index("case")
    names = list(values.ranking["name"])
    assert set(names) == set(found.index[~found["centre"]])
    effects = {key: value for key, value in values.metrics.items() if key.startswith("effect/")}
    assert list(effects.values()) == list(found["delta"][names])
    assert all(re.fullmatch(r"[\w\-. :/]+", key, re.ASCII) for key in (*values.metrics, *values.tags))
    assert values.tags["centre/cell"] == found.index[found["centre"]].item()


def test_the_note_begins_with_the_answer(compared: Made) -> None:
    table = study_values(compared.frame).table
    assert table.startswith(f"{compared.frame.score}: best ")
    assert "| case | effect (points) | p | verdict |" in table
    text = note("a study", "http://host/s/", table)
    assert text.startswith(table)
    assert text.endswith("[Dashboards](http://host/s/)")


def test_not_a_number_is_the_same_as_not_a_number() -> None:
    assert same(math.nan, math.nan)
    assert same(1.0, 1.0)
    assert not same(None, 1.0)
    assert not same(math.nan, 1.0)
