"""How much each axis of a study matters, by Optuna's two estimates, from a table of finished trials."""

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
MOST_FOR_FANOVA = 200  # its time grows with the square of the leaves of its trees: a minute for 1000 trials
SEED = 0


def importance_rule(data: StudyFrame) -> str:
    """Why a study has no importances, as a sentence; "" where it has. The one place of this rule.

    Only samplers and whole grids cover the space that a share of importance is of: one at a time, an axis varies in a
    few trials and stands at its centre in all others, and PED-ANOVA then names the one with most values near the best
    instead of the one that matters. PED-ANOVA looks at the best tenth, so LEAST_TRIALS leave it five trials, and
    LEAST_PER_AXIS are what regressions ask for by rule of thumb.
    """
    if data.plan not in ("sampler", "grid"):
        return "Importances are of samplers and whole grids; this study changes one thing at a time."
    done = data.done
    counts = {axis: int(done[axis].map(choice).nunique(dropna=False)) for axis in data.axes}
    varied = [axis for axis, count in counts.items() if count > 1]
    if data.plan == "grid" and len(done[varied].drop_duplicates()) < math.prod(counts[axis] for axis in varied):
        return "Importances of a grid need all of its cells; some are not finished."
    wanted = max(LEAST_TRIALS, LEAST_PER_AXIS * len(varied))
    if len(done) < wanted or not varied:
        return f"Importances need {wanted} finished trials of axes with two values; this study has {len(done)}."
    return ""


def importances(trials: pd.DataFrame, axes: Sequence[str], metric: str) -> pd.DataFrame:
    """One row an axis: `axis` and both estimates, shares that add up to 1; the greatest PED-ANOVA first.

    trials: a row a finished trial, with a column for each axis and `metric`, the larger the better. PED-ANOVA (Watanabe
    et al., IJCAI 2023) tells what being among the best tenth depends on; fANOVA (Hutter et al., ICML 2014) what the
    variance over the whole space depends on, from at most MOST_FOR_FANOVA trials, evenly taken. Axes that take one
    value alone are left out; no row where no axis has two, or no two scores differ. When to ask: `importance_rule`.
    """
    finished = trials[trials[metric].notna()]
    varied = [axis for axis in axes if finished[axis].map(choice).nunique(dropna=False) > 1]
    if not varied or finished[metric].nunique() < 2:
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
