"""Sampler studies of counting trials: a plan without data, and what its record holds afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from tal_search.execution.driver import run_study
from tal_search.execution.running import Outcome
from tal_search.methods.base import Preset
from tal_search.methods.hyperparameters import MethodHyperparameters
from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.proposers.events import Event, Finished
from tal_search.proposers.sampled import Sampled
from tal_search.record.record import Record
from tal_search.study import (
    BudgetSettings,
    Dimension,
    EffectivePreset,
    ProtocolSettings,
    PrunerSettings,
    RepeatSettings,
    ResourceSettings,
    SamplerSettings,
    SearchSettings,
    Study,
    TrackingSettings,
)
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import BACKGROUND_CLICKS, VIDEO_LABELS
from tests.support.small_plans import reference
from tests.support.small_records import trials_of
from tests.support.small_trials import TIOU, counting_trial, history, make_result, make_spec, setting_result

SPACE = {
    "lambda_sep": Dimension(low=0.25, high=4.0, log=True),
    "affinity": Dimension(choices=(True, False)),
    "kernel_size": Dimension(low=1, high=9, step=2, when={"affinity": (True,)}),
    "beta_aff": Dimension(low=0.2, high=2.0),
}
SMALL = {"kernel_size": Dimension(low=1, high=9, step=2)}  # five cells


@dataclass(frozen=True, kw_only=True)
class Settings(MethodHyperparameters):
    """What the trials of these studies are asked to do; its defaults are the centre."""

    lambda_sep: float = 1.0
    affinity: bool = True
    kernel_size: int = 3
    beta_aff: float = 0.8
    frame_weight: float = 1.0
    embedding_dim: int = 32
    k_ratio: float = 0.125
    tau_same: float = 0.5
    seconds: float = 0.0
    epochs: int = 3
    batch_size: int = 1
    learning_rate: float = 1.0
    weight_decay: float = 0.0

    @property
    def supervision(self) -> tuple[str, ...]:
        return VIDEO_LABELS, BACKGROUND_CLICKS


CENTRE = vars(Settings())


def sampled_plan(
    runs: Path,
    *,
    sampler: str = "random",
    seed: int = 0,
    options: dict[str, Any] | None = None,
    space: dict[str, Dimension] | None = None,
    pruner: str = "none",
    pruner_options: dict[str, Any] | None = None,
    objectives: dict[str, str] | None = None,
    seeds: tuple[int, ...] = (0,),
    trials: int | None = 8,
    minutes: float | None = None,
    epochs: int = 3,
    **behaviour: Any,
) -> Plan:
    """See `small_trials.make_spec` for `behaviour`."""
    space = SPACE if space is None else space
    study = Study(
        name="search",
        search=SearchSettings(
            plan="sampler",
            space=space,
            sampler=SamplerSettings(name=sampler, seed=seed, options=options or {}),  # type: ignore[arg-type]
            pruner=PrunerSettings(name=pruner, options=pruner_options or {}),  # type: ignore[arg-type]
            objectives=objectives or {"mAP": "maximize"},
            repeats=RepeatSettings(seeds=seeds),
        ),
        protocol=ProtocolSettings(evaluate_every=1),
        resources=ResourceSettings(backend="inline"),
        tracking=TrackingSettings(mlflow=False),
        budget=BudgetSettings(trials=trials, minutes=minutes),
        runs=runs,
    )
    centre = Settings(epochs=epochs, **behaviour)
    named = {**vars(centre), "inference.nms": 0.5}
    return Plan(
        study=study,
        dataset=replace(make_spec().dataset, source="features"),  # whose annotators no simulation knows
        presets={"": EffectivePreset(name="paper", snippets=750, preset=Preset())},
        reference=replace(reference(), hyperparameters=centre),
        protocol={"evaluation": "activitynet", "selection": "holdout", "tiou": list(TIOU), "evaluate_every": 1},
        annotators=("a",),
        clicks=(BACKGROUND_CLICKS,),
        centre_cell={axis: named[axis] for axis in space},
        cells=(),
        trials=(),
    )


class Proposing(Sampled):
    """A sampler's proposer with the trials that it wanted so far, by id."""

    def __init__(self, plan: Plan, record: Record, known: dict[str, TrialResult]) -> None:
        self.wanted: dict[str, Trial] = {}
        self._known = known
        super().__init__(plan, record, self._look_up)

    def _look_up(self, trials: Sequence[Trial]) -> dict[str, TrialResult]:
        self.wanted |= {trial.id: trial for trial in trials}
        return {trial.id: self._known[trial.id] for trial in trials if trial.id in self._known}


@contextmanager
def proposer(plan: Plan, known: dict[str, TrialResult] | None = None) -> Iterator[Proposing]:
    """The proposer of a new driver: on the study's record, with the results that are known by trial id."""
    folder = plan.study.runs / plan.study.name
    folder.mkdir(parents=True, exist_ok=True)
    with Record.open(folder / "record.db", plan.study.name, {}) as record:
        yield Proposing(plan, record, {} if known is None else known)


def stored(plan: Plan, suffix: str = "") -> list[FrozenTrial]:
    """The Optuna trials of the study, or of the one that its sampler sees (": cells")."""
    return trials_of(plan.study.runs / plan.study.name / "record.db", plan.study.name + suffix)


def proposed(plan: Plan) -> list[dict[str, Any]]:
    """The parameters of every cell, in order."""
    return [trial.params for trial in stored(plan, ": cells")]


def advance(sampled: Proposing, known: dict[str, TrialResult], most: int) -> int:
    """Ask and answer up to so many trials, one after the other; how many there were."""
    for count in range(most):
        spec = sampled.ask()
        if spec is None:
            return count
        assert isinstance(spec, TrialSpec)
        finish(sampled, known, spec)
    return most


def finish(sampled: Proposing, known: dict[str, TrialResult], spec: TrialSpec) -> None:
    """What the driver does once a fit has ended."""
    fit = make_result(spec)
    for trial in [trial for trial in sampled.wanted.values() if trial.spec.key == spec.key]:
        known[trial.id] = fit if trial.setting is None else setting_result(fit, trial.inference)
        sampled.answered(trial, known[trial.id])
    sampled.tell(Finished(spec, fit))


def run(plan: Plan, **more: Any) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return run_study(plan, on_event=events.append, trial=more.pop("trial", counting_trial), **more), events


def states(plan: Plan, suffix: str = ": cells") -> list[str]:
    return [trial.state.name for trial in stored(plan, suffix)]


def fits_trained(plan: Plan) -> list[str]:
    folders = (plan.study.runs / "trials").iterdir()
    return [folder.name for folder in folders for _ in history(TrialFolder(folder), "finished")]
