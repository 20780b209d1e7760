"""The presets of a plan in one line: their names, and what the generic rule chose from which facts."""

from __future__ import annotations

from tal_search.data.truth.facts import TIOU, Facts
from tal_search.plan.cells import Case
from tal_search.plan.plan import Plan
from tal_search.study import EffectivePreset
from tal_search.study.effective_preset import GENERIC
from tal_search.text.words import counted, some_of

MOST_NAMES = 2  # of the cases that share a preset


def preset_words(plan: Plan) -> str:
    """One sentence on the presets, with the cases of each where they differ.

    For generic ones a second sentence with their values and the facts behind them.
    """
    cases: dict[str, list[str]] = {}
    for case, chosen in plan.presets.items():
        cases.setdefault(chosen.name, []).append(case)
    names = [f"{name} ({some_of(of, MOST_NAMES)})" if len(cases) > 1 else name for name, of in cases.items()]
    words = f"{'Preset' if len(names) == 1 else 'Presets'}: {', '.join(names)}."
    ruled = {_case(plan, case).method: chosen for case, chosen in plan.presets.items() if chosen.facts is not None}
    facts = next((chosen.facts for chosen in ruled.values()), None)
    if facts is None:
        return words
    values = [f"{method} {_values(chosen)}" for method, chosen in ruled.items() if chosen.name == GENERIC]
    fold = f", here for fold {plan.folds[0]} of {len(plan.folds)}" if plan.by_fold else ""
    read = [chosen for case, chosen in plan.presets.items() if _case(plan, case).sampling.takes_snippets]
    grids = [_grid(facts, *gridded)] if (gridded := [chosen for chosen in read if chosen.facts is not None]) else []
    return f"{words} By rule{fold}: {'; '.join([*grids, *values])}. From {facts_words(facts)}."


def sampling_words(plan: Plan) -> str:
    """One sentence on how networks see the videos, with the cases of each way; "" where all videos are rescaled."""
    cases: dict[str, list[str]] = {}
    for name in plan.presets:
        case = _case(plan, name)
        cases.setdefault(case.sampling.written(case.snippets), []).append(name)
    if not any(_case(plan, name).sampling.stored for name in plan.presets):
        return ""
    ways = [f"{way} ({', '.join(of)})" if len(cases) > 1 else way for way, of in cases.items()]
    return f"Sampling: {'; '.join(ways)}."


def _case(plan: Plan, name: str) -> Case:
    return plan.cases[name] if plan.cases else plan.reference


def _grid(facts: Facts, *chosen: EffectivePreset) -> str:
    """T, and the share of the training instances that a grid of T snippets can match."""
    grids = [f"T = {snippets} (matches {facts.ceiling(snippets):.1%} of the training instances at tIoU {TIOU})"
             for snippets in sorted({one.snippets for one in chosen})]  # fmt: skip
    return ", ".join(grids) if len(facts.spans) else f"T = {chosen[0].snippets}"


def _values(chosen: EffectivePreset) -> str:
    settings = {**chosen.preset.hyperparameters, **chosen.preset.inference}
    return ", ".join(f"{name}={_shown(value)}" for name, value in settings.items() if value is not None)


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _classes(number: int) -> str:
    return f"{number} class{'' if number == 1 else 'es'}"


def facts_words(facts: Facts) -> str:
    """The facts in words: "267 training videos of 12 classes, ..."."""
    words = [
        f"{counted(facts.videos, 'training video')} of {_classes(facts.classes)}, "
        f"up to {facts.classes_per_video} in one"
    ]
    if len(facts.spans):
        words.append(
            f"instances of {facts.median_seconds:.3g} s ({facts.median_share:.1%} of their video), a tenth of them up "
            f"to {facts.shortest_seconds:.3g} s ({facts.shortest_share:.1%})"
        )
        if facts.stretch > 1:
            words.append(f"test videos {facts.stretch:.2g} times as long")
    else:
        words.append("no durations in the ground truth")
    if facts.channels is not None:
        words.append(counted(facts.channels, "channel"))
    return "; ".join(words)
