"""The `StudyFrame` of a plan and its finished trials, from which results are computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from tal_search.data.folds import fold_facts
from tal_search.files.checked import Damaged
from tal_search.localization.inference import Inference
from tal_search.methods import specification
from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.plan.preview import lanes
from tal_search.results.folds.pooling import with_pooled_folds
from tal_search.results.plateau import speed_note
from tal_search.results.published import published_systems
from tal_search.results.trials import StudyFrame, score_columns
from tal_search.study import SupervisionSettings, definition_of
from tal_search.trial.folder import TrialFolder
from tal_search.trial.pooled.joint_folds import joint_scores
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import CASE, INFERENCE, SUPERVISION, VIDEO_LABELS, Floats


def study_frame(plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult]) -> StudyFrame:
    """The study with these trials, in their order, and their results by trial id, as far as there are any."""
    symbol, table = symbols(plan), _trial_table(plan, list(trials), results)
    data = StudyFrame(
        plan=plan.study.search.plan, method=plan.study.method, dataset=plan.dataset.name,
        axes={axis: symbol.get(axis, axis) for axis in plan.axes}, centre=plan.centre_cell,
        hyperparameters=plan.centre, inference=plan.inference, fit_inference=plan.fit_inference,
        protocol=plan.protocol, objectives=plan.study.search.objectives,
        cases={name: case.paper for name, case in plan.study.search.cases.items()},
        trials=table, name=plan.study.name, runs=plan.study.runs,
        overrides=plan.study.overrides, lanes=lanes(plan.study.resources), folds=fold_facts(plan.dataset),
        published=published_systems(definition_of(plan.study)), shares=plan.reference.shares,
        label=plan.label,
    )  # fmt: skip
    return with_pooled_folds(data, lambda ids: joint_scores(plan.study.runs, plan.study.name, ids))


def case_specs(plan: Plan) -> dict[str, TrialSpec]:
    """The fit of the first trial of each case, by the case's name."""
    if not plan.cases:
        return {}
    return {str(trial.cell[CASE]): trial.spec for trial in reversed(plan.trials)}


def speeds(plan: Plan, data: StudyFrame) -> str:
    """A sentence if the centre still improves in its last epochs, else "", see `plateau.speed_note`."""

    def epochs_of(key: str) -> pd.DataFrame:
        try:
            return TrialFolder.of(plan.study.runs, key).epoch_table()
        except Damaged:
            return pd.DataFrame()

    return speed_note(data, epochs_of)


def symbols(plan: Plan) -> dict[str, str]:
    """The paper's symbol of every hyperparameter and inference setting, and the name of every label budget."""
    fields = {field.name: field for field in dataclasses.fields(specification(plan.study.method).hyperparameters)}
    fields |= {f"{INFERENCE}{field.name}": field for field in dataclasses.fields(Inference)}
    fields |= {f"{SUPERVISION}{field.name}": field for field in dataclasses.fields(SupervisionSettings)}
    return {name: str(field.metadata["symbol"]) for name, field in fields.items()}


def supervision_words(plan: Plan) -> dict[str, str]:
    """The supervision that each case reads beyond video labels, by name of the case."""
    beyond = {name: [kind for kind in case.supervision if kind != VIDEO_LABELS] for name, case in plan.cases.items()}
    return {name: ", ".join(kinds) or VIDEO_LABELS for name, kinds in beyond.items()}


def _trial_table(plan: Plan, trials: list[Trial], results: Mapping[str, TrialResult]) -> pd.DataFrame:
    """The `trials` of a StudyFrame."""
    table: dict[str, Sequence[object] | Floats] = {axis: [trial.cell[axis] for trial in trials] for axis in plan.axes}
    table |= {name: [getattr(trial.spec, name) for trial in trials] for name in ("key", "seed", "annotator", "method")}
    if plan.dataset.folds:
        table |= {"id": [trial.id for trial in trials], "fold": [trial.fold for trial in trials]}
    table["annotation_seconds"] = [trial.annotation_seconds for trial in trials]
    table["annotation_total"] = np.array([trial.annotation_total for trial in trials], np.float64)  # None: NaN
    table["state"] = ["done" if trial.id in results else "open" for trial in trials]
    outcomes = [results.get(trial.id) for trial in trials]
    table["reason"] = ["" if result is None else result.note for result in outcomes]
    tiou = tuple(plan.protocol["tiou"])
    nothing = (np.nan,) * len(tiou)
    mAP = [nothing if result is None else result.mAP for result in outcomes]
    held = [nothing if result is None else result.holdout_mAP or nothing for result in outcomes]
    mAP_NT, held_NT = (np.array(rows, np.float64).reshape(-1, len(tiou)) for rows in (mAP, held))
    number = {
        name: np.array([getattr(result, name, None) for result in outcomes], np.float64)
        for name in ("best_on_test_mAP", "detections", "parameters", "seconds", "scoring_seconds")
    }
    table |= score_columns(tiou, mAP_NT, held_NT, number.pop("best_on_test_mAP"))
    return pd.DataFrame(table | number)
