"""The repository's ladder: its cases are methods at budgets, each trained for as many steps at any of them."""

from __future__ import annotations

import math

import pandas as pd

from tal_search.plan.plan import resolve
from tal_search.plan.plan_frame import case_specs, study_frame
from tal_search.results.budgets.curves import curves, method_names
from tal_search.results.cell_table import cells
from tal_search.study import load_study

METHODS = ["BaS-Net", "DGAM", "BackTAL", "SF-Net", "Representative segments", "ASL"]


def test_the_ladder_has_a_line_for_each_method_and_kind_of_annotation() -> None:
    plan = resolve(load_study("budget_ladder", ["dataset.source=simulated"]))
    data, specs = study_frame(plan, plan.trials, {}), case_specs(plan)
    methods, shares = method_names(data, cells(data), specs)
    lines = {name: len(line) for name, line in curves(methods, shares).items()}
    assert lines == {
        **{(method, "videos"): 5 for method in METHODS}, ("BackTAL", "background clicks"): 3,
        ("SF-Net", "action clicks"): 3, ("ASL", "instances"): 4,
    }  # fmt: skip
    steps = pd.Series(
        {
            (name, spec.dataset.share("videos")): spec.hyperparameters["epochs"]
            * math.ceil(200 * spec.dataset.share("videos") / spec.hyperparameters["batch_size"])
            for name, spec in specs.items()
        }
    )
    by_method = dict(zip(cells(data)["case"], methods, strict=True))
    spread = steps.groupby([by_method[name] for name, _ in steps.index]).agg(lambda known: max(known) / min(known))
    assert spread.max() < 1.06, "steps differ by whole epochs only"
