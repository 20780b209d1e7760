"""What a study says of itself to readers of its record (dashboards), who know neither methods nor plans. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any

from tal_search.localization import Inference
from tal_search.methods import declaration
from tal_search.search.plan import Plan
from tal_search.study import INFERENCE
from tal_search.tracking.content import server_page


def about(plan: Plan) -> dict[str, Any]:
    """Noted in the record by every run, and compared with nothing.

    trials: how many the study asks for, None where a sampler goes on without end. cases: by name, the published
    system each rebuilds, if any. mlflow: whether its trials are copied there; server: the address of its page.
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
        "trials": len(plan.trials) or study.budget.trials,
        "mlflow": study.tracking.mlflow, "server": server_page(study.tracking.uri),
    }  # fmt: skip


def symbols(plan: Plan) -> dict[str, str]:
    """The paper's symbol of every hyperparameter and inference setting."""
    fields = {field.name: field for field in dataclasses.fields(declaration(plan.study.method).Hyperparameters)}
    fields |= {f"{INFERENCE}{field.name}": field for field in dataclasses.fields(Inference)}
    return {name: str(field.metadata["symbol"]) for name, field in fields.items()}
