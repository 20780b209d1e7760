"""Settings that must not change when a study is resumed. Pure."""

from __future__ import annotations

from dataclasses import asdict, replace

from tal_search.plan.plan import Plan


def fixed_settings(plan: Plan) -> dict[str, object]:
    """Method, data, centre, protocol and cost model; with a sampler also its space, settings and code version.

    Axis values, seeds and annotators are not included, so a plan may be widened. The content of each annotator's clicks
    is included (`clicks`; annotators and kinds may be added), and the settings of each case (which may come and go).
    """
    study, search, dataset = plan.study, plan.study.search, plan.dataset
    content = {"source": dataset.source, "content": dataset.fingerprint[:12]}
    budget = {"clicks_fraction": study.dataset.clicks_fraction, "clicks_per_minute": study.dataset.clicks_per_minute}
    common: dict[str, object] = {
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
