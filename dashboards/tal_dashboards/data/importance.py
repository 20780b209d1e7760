"""How much each axis of a study matters, by Optuna's two estimates, from a table of finished trials."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
import pandas as pd
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from tal_search.record.distributions import choice, distribution_of

ESTIMATES = ("PED-ANOVA", "fANOVA")
LEAST_TRIALS = 10
MOST_FOR_FANOVA = 200  # its time grows with the square of the leaves of its trees: a minute for 1000 trials
SEED = 0


def importances(trials: pd.DataFrame, axes: Sequence[str], metric: str) -> pd.DataFrame:
    """One row an axis: `axis` and both estimates, shares that add up to 1; the greatest PED-ANOVA first.

    trials: a row a finished trial, with a column for each axis and `metric`, the larger the better. PED-ANOVA (Watanabe
    et al., IJCAI 2023) tells what being among the best tenth depends on; fANOVA (Hutter et al., ICML 2014) what the
    variance over the whole space depends on, from at most MOST_FOR_FANOVA trials, evenly taken. Axes that take one
    value alone are left out; no row where fewer than LEAST_TRIALS trials or no two values are there.
    """
    finished = trials[trials[metric].notna()]
    varied = [axis for axis in axes if finished[axis].map(choice).nunique(dropna=False) > 1]
    if len(finished) < LEAST_TRIALS or not varied or finished[metric].nunique() < 2:
        return pd.DataFrame(columns=["axis", *ESTIMATES])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    whole = _study(finished, varied, metric)
    few = _study(finished.iloc[:: -(-len(finished) // MOST_FOR_FANOVA)], varied, metric)
    found = {
        "PED-ANOVA": get_param_importances(whole, evaluator=PedAnovaImportanceEvaluator(), params=varied),
        "fANOVA": get_param_importances(few, evaluator=FanovaImportanceEvaluator(seed=SEED), params=varied),
    }
    rows = [{"axis": axis, **{name: found[name][axis] for name in ESTIMATES}} for axis in varied]
    return pd.DataFrame(rows).sort_values("PED-ANOVA", ascending=False, kind="stable", ignore_index=True)


def _study(trials: pd.DataFrame, axes: Sequence[str], metric: str) -> optuna.Study:
    """A study in memory; the axes span the values of these trials."""
    values = {axis: [choice(value) for value in trials[axis].tolist()] for axis in axes}
    distributions = {axis: distribution_of(column) for axis, column in values.items()}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        optuna.trial.create_trial(params=dict(zip(axes, row, strict=True)), distributions=distributions, value=value)
        for *row, value in zip(*values.values(), trials[metric].tolist(), strict=True)
    )
    return study
