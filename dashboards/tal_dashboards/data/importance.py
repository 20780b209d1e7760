"""Hyperparameter importances of a study by Optuna's PED-ANOVA and fANOVA, from its table of finished trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import optuna
import pandas as pd
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

from tal_search.record.distributions import choice, distribution_of
from tal_search.results.trials import StudyFrame

ESTIMATES = ("PED-ANOVA", "fANOVA")
LEAST_TRIALS, LEAST_PER_AXIS = 50, 10
MOST_FOR_FANOVA = 200  # its time grows with the square of its trees' leaves: a minute for 1000 trials
SEED = 0


def importance_rule(data: StudyFrame) -> str:
    """Why importances of a study are not computed, as a sentence; "" if they are.

    Only samplers and complete grids cover the space that importances refer to. In a one-at-a-time study each axis is at
    its centre in nearly all trials, and PED-ANOVA then favours the axis with most values near the best over the one
    that matters. PED-ANOVA looks at the best tenth: five of LEAST_TRIALS. LEAST_PER_AXIS is the usual rule of thumb for
    regressions.
    """
    if data.plan not in ("sampler", "grid"):
        return "Importances need a sampler or a complete grid; this study changes one axis at a time."
    done = data.done
    counts = {axis: int(done[axis].map(choice).nunique(dropna=False)) for axis in data.axes}
    varied = [axis for axis, count in counts.items() if count > 1]
    if data.plan == "grid" and len(done[varied].drop_duplicates()) < math.prod(counts[axis] for axis in varied):
        return "Importances need all cells of a grid; some are not finished."
    wanted = max(LEAST_TRIALS, LEAST_PER_AXIS * len(varied))
    if len(done) < wanted or not varied:
        return (
            f"Importances need {wanted} finished trials and axes with two values or more; this study has {len(done)}."
        )
    return ""


def importances(trials: pd.DataFrame, axes: Sequence[str], metric: str) -> pd.DataFrame:
    """One row per axis: `axis` and both estimates, which sum to 1 over the axes; sorted by PED-ANOVA, descending.

    trials: one row per finished trial, with a column for each axis and for `metric` (higher is better). PED-ANOVA
    (Watanabe et al., IJCAI 2023) estimates what decides whether a trial is among the best tenth; fANOVA (Hutter et al.,
    ICML 2014) explains the variance over the whole space, here from at most MOST_FOR_FANOVA evenly spaced trials. Axes
    with a single value are left out; empty if none remains or all scores are equal. See `importance_rule` first.
    """
    finished = trials[trials[metric].notna()]
    varied = [axis for axis in axes if finished[axis].map(choice).nunique(dropna=False) > 1]
    if not varied or finished[metric].nunique() < 2:
        return pd.DataFrame(columns=["axis", *ESTIMATES])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    whole = _study(finished, varied, metric)
    few = _study(finished.iloc[:: -(-len(finished) // MOST_FOR_FANOVA)], varied, metric)
    shares = {
        "PED-ANOVA": get_param_importances(whole, evaluator=PedAnovaImportanceEvaluator(), params=varied),
        "fANOVA": get_param_importances(few, evaluator=FanovaImportanceEvaluator(seed=SEED), params=varied),
    }
    rows = [{"axis": axis, **{name: shares[name][axis] for name in ESTIMATES}} for axis in varied]
    return pd.DataFrame(rows).sort_values("PED-ANOVA", ascending=False, kind="stable", ignore_index=True)


def _study(trials: pd.DataFrame, axes: Sequence[str], metric: str) -> optuna.Study:
    """An in-memory Optuna study of these trials, whose distributions span the trials' values."""
    values = {axis: [choice(value) for value in trials[axis].tolist()] for axis in axes}
    distributions = {axis: distribution_of(column) for axis, column in values.items()}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        optuna.trial.create_trial(params=dict(zip(axes, row, strict=True)), distributions=distributions, value=value)
        for *row, value in zip(*values.values(), trials[metric].tolist(), strict=True)
    )
    return study
