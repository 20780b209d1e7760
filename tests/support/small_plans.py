"""Plans of counting trials, run in this process on a real record; for tests of the driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tal_search.execution.driver import run_study
from tal_search.execution.running import Outcome
from tal_search.localization.inference import Inference
from tal_search.methods.backtal import Hyperparameters
from tal_search.methods.base import Preset
from tal_search.plan.cells import Case, Trial
from tal_search.plan.plan import Plan, resolve
from tal_search.proposers.events import Event
from tal_search.study import EffectivePreset, ResourceSettings, SearchSettings, Study, TrackingSettings, load_study
from tal_search.study.settings import BudgetSettings
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import BACKGROUND_CLICKS
from tests.support.paths import STUDIES
from tests.support.small_records import trials_of
from tests.support.small_trials import counting_trial, make_spec

AXES = {"lambda_sep": (1.0, 2.0), "inference.nms": (0.5,)}


def planned(name: str, *overrides: str) -> Plan:
    """The plan on simulated data, with one seed unless the overrides say otherwise."""
    return resolve(load_study(name, ["dataset.source=simulated", "search.repeats.seeds=[0]", *overrides], STUDIES))


def plan_of(
    runs: Path, wanted: list[TrialSpec | Trial] | list[TrialSpec], name: str = "grid", *, mlflow: bool = False,
    minutes: float | None = None, trials: int | None = None,
) -> Plan:  # fmt: skip
    """`wanted`: trials, or fits at their own inference settings."""
    study = Study(
        name=name,
        search=SearchSettings(axes=AXES),
        resources=ResourceSettings(backend="inline"),
        tracking=TrackingSettings(mlflow=mlflow),
        budget=BudgetSettings(minutes=minutes, trials=trials),
        runs=runs,
    )
    found = tuple(one if isinstance(one, Trial) else at(one) for one in wanted)
    return Plan(
        study=study,
        dataset=found[0].spec.dataset,
        presets={"": EffectivePreset(name="paper", snippets=750, preset=Preset())},
        reference=reference(beta_aff=0.8),
        protocol=found[0].spec.protocol,
        annotators=("a",),
        clicks=(BACKGROUND_CLICKS,),
        centre_cell={"lambda_sep": 1.0, "inference.nms": 0.5},
        cells=tuple(trial.cell for trial in found),
        trials=found,
    )


def reference(**hyperparameters: Any) -> Case:
    """The centre of a plan, at the paper's settings but for these."""
    inference = Inference(nms=0.5)
    return Case(
        method="backtal", code_version="1", hyperparameters=Hyperparameters(**hyperparameters), inference=inference,
        fit_inference=inference, snippets=10,
    )  # fmt: skip


def cell_spec(seed: int = 0, value: float = 1.0, **behaviour: object) -> TrialSpec:
    return make_spec(seed, cell={"lambda_sep": value}, **behaviour)


def at(spec: TrialSpec, nms: float = 0.5) -> Trial:
    return Trial(cell={**spec.cell, "inference.nms": nms}, spec=spec, inference={"nms": nms}, annotation_seconds=48.0)


def run(plan: Plan) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return run_study(plan, on_event=events.append, trial=counting_trial), events


def recorded(plan: Plan) -> list[tuple[str, str]]:
    """State and id of every trial of the record, in order."""
    trials = trials_of(plan.study.runs / plan.study.name / "record.db", plan.study.name)
    return [(trial.state.name, trial.user_attrs["id"]) for trial in trials]
