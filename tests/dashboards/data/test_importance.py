"""Importances against Optuna on the same record."""

from __future__ import annotations

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from tal_dashboards.data.importance import SEED, importances
from tal_dashboards.data.study_data import StudyData


def test_importances_are_what_optuna_says_of_the_record(small_study: StudyData) -> None:
    path = small_study.runs / small_study.name / "record.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        recorded = optuna.load_study(study_name=small_study.name, storage=storage)
        axes = list(small_study.axes)
        wanted = {
            "PED-ANOVA": get_param_importances(recorded, evaluator=PedAnovaImportanceEvaluator(), params=axes),
            "fANOVA": get_param_importances(recorded, evaluator=FanovaImportanceEvaluator(seed=SEED), params=axes),
        }
    finally:
        storage.remove_session()
        storage.engine.dispose()
    found = importances(small_study.done, axes, "holdout").set_index("axis")
    for estimate, shares in wanted.items():
        assert found[estimate].to_dict() == pytest.approx(shares, abs=1e-6)
        assert sum(shares.values()) == pytest.approx(1)


def test_the_axis_that_decides_is_the_important_one_and_a_constant_one_is_left_out() -> None:
    random = np.random.default_rng(0)
    trials = pd.DataFrame({"a": random.random(150), "b": random.random(150), "c": 1.0})
    trials["mAP"] = 10 * trials["a"] + random.normal(0, 0.1, 150)
    found = importances(trials, ("b", "a", "c"), "mAP")
    assert found["axis"].tolist() == ["a", "b"]
    assert (found.loc[0, ["PED-ANOVA", "fANOVA"]] > 0.9).all()
    assert importances(trials.head(1), ("a", "b"), "mAP").empty
    assert importances(trials.assign(mAP=1.0), ("a", "b"), "mAP").empty
