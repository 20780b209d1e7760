"""What all trials of a study have in common: a study that is continued must not change it unawares. Pure."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from tal_search.plan.plan import Plan


def settings_of(plan: Plan) -> dict[str, Any]:
    """Method, data, centre, protocol, cost model; for a sampler also what it draws from and how, and its code.

    Axis values, seeds and annotators are not among them: a plan may be widened. The content of each annotator's clicks
    is (`clicks`), and may only gain annotators and kinds; so are the settings of each case, and cases may come and go.
    """
    study, search, dataset = plan.study, plan.study.search, plan.dataset
    content = {"source": dataset.source, "content": dataset.fingerprint[:12]}
    budget = {"clicks_fraction": study.dataset.clicks_fraction, "clicks_per_minute": study.dataset.clicks_per_minute}
    common: dict[str, Any] = {
        "protocol": plan.protocol,
        "precision": study.resources.precision,
        "cost": asdict(study.cost),
        "clicks": {
            f"{name} {kind}": fingerprint[:12]
            for name in plan.annotators
            for kind, fingerprint in dataset.fingerprints_read(name, plan.clicks).items()
        },
    }
    if plan.cases:
        cases = {name: asdict(replace(case, code_version="")) for name, case in plan.cases.items()}
        return {"plan": "cases", "dataset": content, "cases": cases, **common}
    common = {
        "method": study.method,
        "dataset": {**content, "snippets": dataset.snippets, **budget},
        "hyperparameters": plan.centre,
        "inference": plan.inference,
        **common,
    }
    if search.plan != "sampler":
        return {"plan": "planned", **common}
    sampled = {
        "space": {name: asdict(dimension) for name, dimension in search.space.items()},
        "objectives": search.objectives,
        "sampler": asdict(search.sampler),
        "pruner": asdict(search.pruner),
        "repeats": {"seeds": search.repeats.seeds, "annotators": plan.annotators},
    }
    code = {} if study.accept_code_change else {"code_version": plan.reference.code_version}
    return {"plan": "sampler", **common, "search": sampled, **code}
