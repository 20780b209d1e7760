"""Study metadata for the dashboards, which read a record without importing methods or plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict

from tal_search.data.folds import fold_facts
from tal_search.data.load import load_truths
from tal_search.errors import InputError
from tal_search.metrics.video_sets import describe_videos
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import symbols
from tal_search.plan.preview import lanes
from tal_search.study import definition_of
from tal_search.types import criterion


def study_metadata(plan: Plan) -> dict[str, object]:
    """The metadata, written to the record by every run of the study and never compared.

    scored: protocol and videos of the scores. trials: how many the study asks for, None where a sampler has no limit.
    methods: of its cases, or its only one. cases: the published system that each rebuilds, if any, by name; published:
    all of the dataset. mlflow: whether trials are copied to MLflow; server: the address of its page. label, overrides,
    lanes, folds and shares: see `results.trials.StudyFrame`.
    code_versions: see there.
    """
    study, dataset = plan.study, plan.dataset
    symbol = symbols(plan)
    return {
        "description": study.description, "plan": study.search.plan, "method": study.method, "preset": plan.preset,
        "methods": list(dict.fromkeys(case.method for case in plan.cases.values())) or [study.method],
        "dataset": dataset.name, "source": dataset.source, "data": dataset.description,
        "label": plan.label,
        "axes": {axis: symbol.get(axis, axis) for axis in plan.axes}, "centre": plan.centre_cell,
        "hyperparameters": plan.centre, "inference": plan.inference, "fit_inference": plan.fit_inference,
        "protocol": plan.protocol, "annotators": plan.annotators, "objectives": study.search.objectives,
        "cases": {name: case.paper for name, case in study.search.cases.items()},
        "published": [asdict(system) for system in definition_of(study).published], "folds": fold_facts(dataset),
        "shares": plan.reference.shares, "scored": scored_by(plan), "trials": len(plan.trials) or study.budget.trials,
        "overrides": study.overrides, "lanes": lanes(plan.study.resources), "mlflow": study.tracking.mlflow,
        "server": study.tracking.server_page, "code_versions": code_versions(plan),
    }  # fmt: skip


def code_versions(plan: Plan) -> dict[str, list[str]]:
    """Code versions of the trials by method; empty where others are accepted, or where a sampler has one for all."""
    if plan.study.accept_code_change:
        return {}
    used = {(trial.spec.method, trial.spec.code_version) for trial in plan.trials}
    return {method: sorted(version for name, version in used if name == method) for method, _ in sorted(used)}


def objective_names(objectives: Iterable[str], tiou: Sequence[float], *, held_out: bool) -> list[str]:
    """Names of objectives for Optuna's own pages, with their videos and units."""
    named = {
        "mAP": f"{'held-out' if held_out else 'test'} mAP@{criterion(tiou)} (0 to 1)",
        "annotation_seconds": "annotation (s/min)", "annotation_total": "annotation of the training set (s)",
        "parameters": "parameters", "training_seconds": "training (s)",
    }  # fmt: skip
    return [named[name] for name in objectives]


def scored_by(plan: Plan) -> str:
    """The protocol and the videos of every score, in words; the protocol alone if the ground truth cannot be read."""
    words = f"{plan.protocol['evaluation']} protocol"
    with suppress(InputError):
        words += f", {describe_videos(load_truths(plan.dataset)[1].videos)}"
    return words
