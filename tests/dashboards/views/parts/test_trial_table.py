"""Table of trials: differences from the centre, search, and sorting."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from tal_dashboards.app import grid as grids
from tal_dashboards.views.parts import trial_table
from tests.support.small_dashboards import Made


def test_trials_are_listed_by_what_differs_from_the_centre(swept: Made, compared: Made, grid: Made) -> None:
    for made in (swept, grid):
        data = made.read()
        listed = trial_table.listed(data).set_index("number")
        for number, row in data.trials.set_index("number").iterrows():
            off = [f"{data.axes[axis]} = {row[axis]:g}" for axis in data.axes if row[axis] != data.centre[axis]]
            assert listed.loc[number, "differs"] == (", ".join(off) or "centre")
    assert trial_table.listed(compared.read())["differs"].tolist() == compared.read().trials["case"].tolist()[::-1]
    empty = replace(swept.read(), centre={**swept.read().centre, "lambda_sep": None})
    assert "λ = 1" in set(trial_table.listed(empty)["differs"])


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("", [3, 2, 1, 0]), ("h = 1", [2, 0]), ("kernel_size=1, seed 1", [2]), ("h", [3, 2, 0]), ("h=3", [1]),
        ("KERNEL", [3, 2, 0]), ("centre", [1]), ("memory", [3]), ("fail", [3]), ("oom) failed", [3]), ("KEY2", [2]),
        ("h=11", [3]), ("seed=0", [1, 0]), ("done a1", [2, 1, 0]), ("λ=1/12", [3, 2, 1, 0]), ("1/12", []),
    ],
)  # fmt: skip
def test_a_trial_is_found_by_its_words(swept: Made, sought: str, found: list[int]) -> None:
    data, rows = swept.read(), swept.read().trials.head(4)
    rows = rows.assign(
        number=range(4), kernel_size=[1, 3, 1, 11], seed=[0, 0, 1, 1], key=[f"key{place}" for place in range(4)],
        lambda_sep=1 / 12, state=["done", "done", "done", "failed"], reason=["", "", "", "out of memory, (OOM)"],
    )  # fmt: skip
    rows["inference.nms"] = data.centre["inference.nms"]
    few = replace(data, trials=rows, centre={**data.centre, "lambda_sep": 1 / 12})
    assert grids.found(trial_table.grid(few, {}), sought, "")["number"].tolist() == found


def test_rows_are_sorted_by_what_their_cells_say_and_those_without_a_number_come_last(swept: Made) -> None:
    data = swept.read()
    rows = data.trials.head(4).assign(number=range(4), kernel_size=[11, 1, 3, 5], lambda_sep=[1 / 12, 1 / 6, 1.0, 1.0])
    rows["mAP@0.5"] = [2.0, math.nan, 3.0, 1.0]
    rows["inference.nms"] = data.centre["inference.nms"]
    made = trial_table.grid(replace(data, trials=rows), {})
    for order, wanted in {
        "mAP@0.5": [3, 0, 2, 1], "-mAP@0.5": [2, 0, 3, 1], "differs": [2, 3, 0, 1], "key": [3, 2, 1, 0],
        "nonsense": [3, 2, 1, 0], "-": [3, 2, 1, 0],
    }.items():  # fmt: skip
        assert grids.found(made, "", order)["number"].tolist() == wanted, order
    mixed = made._replace(
        frame=pd.DataFrame({"value": ["relu", 0.5, 3, "gelu"]}, dtype=object), heads={"value": "value"}
    )
    assert grids.found(mixed, "", "value")["value"].tolist() == [0.5, 3, "gelu", "relu"]
    assert grids.found(mixed, "", "-value")["value"].tolist() == ["relu", "gelu", 3, 0.5]
