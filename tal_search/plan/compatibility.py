"""Settings that must not change when a study is resumed. Pure."""

from __future__ import annotations

from dataclasses import asdict, replace

from tal_search.plan.cells import Case
from tal_search.plan.plan import Plan


def fixed_settings(plan: Plan) -> dict[str, object]:
    """Method, data, centre, protocol and cost model; with a sampler also its space, settings and code version.

    Axis values, seeds and annotators are not included, so a plan may be widened. The content of each annotator's clicks
    is included (`clicks`; annotators and kinds may be added), and the settings of each case (which may come and go).
    """
    study, search, dataset = plan.study, plan.study.search, plan.dataset
    folds = {"folds": {name: dataset.folds[name] for name in ("by", "of")}} if dataset.folds else {}
    content = {"source": dataset.source, "content": dataset.fingerprint[:12], **folds}
    common: dict[str, object] = {
        "protocol": plan.protocol, "precision": study.resources.precision, "cost": asdict(study.cost),
        "clicks": {
            f"{name} {kind}": fingerprint[:12]
            for name in plan.annotators
            for kind, fingerprint in dataset.fingerprints_read(name, plan.clicks).items()
        },
    }  # fmt: skip
    if plan.cases:
        cases = {name: _settings(case) for name, case in plan.cases.items()}
        return {"plan": "cases", "dataset": content, "cases": cases, **common}
    common = {
        "method": study.method,
        "dataset": {**content, "snippets": dataset.snippets, **_sampling(plan.reference), **_budget(plan.reference)},
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


def _settings(case: Case) -> dict[str, object]:
    content = asdict(replace(case, code_version=""))
    later = {"budget", "sampling", *(() if case.lengths else ("lengths",))}  # fields that records of 0.3 lack
    kept = {name: value for name, value in content.items() if name not in later}
    return kept | _sampling(case) | _budget(case)


def _sampling(case: Case) -> dict[str, object]:
    """The sampling of videos where it is not that of earlier versions, which rescaled all of them."""
    sampling = case.sampling.to_json()
    return {"sampling": sampling} if sampling else {}


def _budget(case: Case) -> dict[str, object]:
    """The label budgets under the names of records of earlier versions; those that came later only where below 1."""
    shares = case.budget.below_one
    fraction = shares.pop("background_clicks", 1.0)
    later = {"supervision": shares} if shares else {}
    return {"clicks_fraction": fraction, "clicks_per_minute": case.clicks_per_minute, **later}
