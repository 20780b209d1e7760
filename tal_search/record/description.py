"""What a study says of itself to readers of its record (dashboards), who know neither methods nor plans. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from tal_search.data.load import load_truths
from tal_search.errors import InputError
from tal_search.metrics.video_sets import describe_videos
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import symbols
from tal_search.plan.preview import lanes
from tal_search.types import criterion


def about(plan: Plan) -> dict[str, Any]:
    """Noted in the record by every run, and compared with nothing.

    scored: by which protocol, on which videos. trials: how many the study asks for, None where a sampler goes on
    without end. cases: by name, the published system each rebuilds, if any. mlflow: whether its trials are copied
    there; server: the address of its page. overrides and lanes: see `results.trials.StudyFrame`.
    """
    study, dataset = plan.study, plan.dataset
    known = symbols(plan)
    return {
        "description": study.description, "plan": study.search.plan, "method": study.method, "preset": plan.preset,
        "dataset": dataset.name, "source": dataset.source, "data": dataset.description,
        "axes": {axis: known.get(axis, axis) for axis in plan.axes}, "centre": plan.centre_cell,
        "hyperparameters": plan.centre, "inference": plan.inference, "fit_inference": plan.fit_inference,
        "protocol": plan.protocol, "annotators": plan.annotators, "objectives": study.search.objectives,
        "cases": {name: case.paper for name, case in study.search.cases.items()},
        "scored": scored_by(plan), "trials": len(plan.trials) or study.budget.trials,
        "overrides": study.overrides, "lanes": lanes(plan.study.resources), "mlflow": study.tracking.mlflow,
        "server": study.tracking.server_page,
    }  # fmt: skip


def objective_names(objectives: Iterable[str], tiou: Sequence[float], *, held_out: bool) -> list[str]:
    """With what they were measured on and their units, as Optuna's own pages show them."""
    named = {
        "mAP": f"{'held-out' if held_out else 'test'} mAP@{criterion(tiou)} (0 to 1)",
        "annotation_seconds": "annotation (s/min)",
        "parameters": "parameters", "training_seconds": "training (s)",
    }  # fmt: skip
    return [named[name] for name in objectives]


def scored_by(plan: Plan) -> str:
    """The protocol and the videos of every score, in words; the protocol alone where the ground truth is gone."""
    words = f"{plan.protocol['evaluation']} protocol"
    with suppress(InputError):
        words += f", {describe_videos(load_truths(plan.dataset)[1].videos)}"
    return words
