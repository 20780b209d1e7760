"""View 4: one finished fit scored again at other inference settings, from the activations that it kept."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboards.data import Selection, StudyData
from tal_search.data.splits import restrict
from tal_search.localization import Inference, localize_many, proposal_key
from tal_search.metrics.average_precision import score
from tal_search.types import criterion

TITLE = "Inference playground"
# Slider → its range and step; `Inference` allows more.
SLIDERS = {
    "class_threshold": (0.0, 1.0, 0.01),
    "activation_low": (0.0, 0.95, 0.05),
    "activation_high": (0.05, 1.0, 0.05),
    "outer_margin": (0.0, 1.0, 0.05),
    "score_weight": (0.0, 1.0, 0.05),
    "nms": (0.05, 1.0, 0.05),
}
FIELDS = {field.name: field for field in dataclasses.fields(Inference)}
SWEPT = 11  # settings along one slider
OWN, CHOSEN, HOLDOUT, LEAKY = "the trial's own", "the sliders'", "best on holdout", "best on test (leaky)"


class Scored(NamedTuple):
    """mAP by tIoU of one inference setting of one fit, in percent: on test videos, and on those held out, if any."""

    inference: Inference
    test: tuple[float, ...]
    holdout: tuple[float, ...] | None


class PlaygroundInfo(NamedTuple):
    """settings: by role, OWN and CHOSEN, and the best of all settings known: recorded, swept or chosen.

    swept: along the slider `varied`, ends included; empty where no slider was chosen. criterion: what settings are
    compared by, "0.5", or "average" where .5 is not evaluated.
    """

    key: str
    tiou: tuple[float, ...]
    criterion: str
    settings: dict[str, Scored]
    varied: str
    swept: list[Scored]


def info(data: StudyData, selection: Selection) -> PlaygroundInfo | None:
    """Selected by `trial` (the key of a fit), `playground-SLIDER` and `playground-sweep`; None without activations."""
    key = chosen_fit(data, selection)
    if key is None:
        return None
    known = recorded(data, key)
    chosen = chosen_settings(known[0].inference, selection)
    varied = selection.get("playground-sweep", "")
    wanted = along(chosen, varied) if varied in SLIDERS else []
    found = rescored(data, key, [chosen, *wanted])
    compared = criterion(data.tiou)
    return PlaygroundInfo(
        key=key,
        tiou=data.tiou,
        criterion=compared,
        settings={OWN: known[0], CHOSEN: found[0], **best_of([*known, *found], data.tiou, compared)},
        varied=varied if wanted else "",
        swept=found[1:],
    )


def chosen_fit(data: StudyData, selection: Selection, name: str = "trial") -> str | None:
    """The selected fit, else one at the centre, else the first; only one that keeps activations."""
    done = data.done
    wanted = [selection.get(name, ""), *done.loc[data.is_centre(done), "key"].head(1), *done["key"]]
    known = set(done["key"])
    return next((key for key in dict.fromkeys(wanted) if key in known and data.folder(key).cas.exists()), None)


def recorded(data: StudyData, key: str) -> list[Scored]:
    """What is known of a finished fit: its own setting first, then those that studies scored it with."""
    folder, own = data.folder(key), data.spec(key).inference
    settings = folder.settings()
    return [
        Scored(
            Inference(**(own if name is None else settings[name]["inference"])),
            percent(result.mAP),
            result.holdout_mAP and percent(result.holdout_mAP),
        )
        for name, result in folder.results().items()
    ]


def chosen_settings(own: Inference, selection: Selection) -> Inference:
    """The fit's own settings, changed by what is selected and in its slider's range; its own without thresholds."""
    changed = {}
    for name, (low, high, _) in SLIDERS.items():
        try:
            value = float(selection.get(f"playground-{name}", ""))
        except ValueError:
            continue
        if low <= value <= high:
            changed[name] = value
    wanted = dataclasses.replace(own, **changed)
    return wanted if wanted.activation_low < wanted.activation_high else own


def along(inference: Inference, slider: str) -> list[Inference]:
    """Settings from one end of a slider to the other, the rest as it is; those without thresholds left out."""
    low, high, _ = SLIDERS[slider]
    values = np.linspace(low, high, SWEPT).round(6).tolist()
    swept = [dataclasses.replace(inference, **{slider: value}) for value in values]
    return [one for one in swept if one.activation_low < one.activation_high]


def rescored(data: StudyData, key: str, settings: list[Inference]) -> list[Scored]:
    """The settings scored from the kept activations, in their order, under the fit's own protocol."""
    order = sorted(range(len(settings)), key=lambda index: proposal_key(settings[index]))  # neighbours share proposals
    wanted = [settings[index] for index in order]
    tested = _scores(data, key, "test", wanted)
    held: Iterable[tuple[float, ...] | None] = repeat(None)
    if data.folder(key).holdout_cas.exists():
        held = _scores(data, key, "holdout", wanted)
    found = {index: Scored(settings[index], *both) for index, both in zip(order, zip(tested, held), strict=False)}
    return [found[index] for index in range(len(settings))]


def _scores(data: StudyData, key: str, split: str, settings: list[Inference]) -> Iterator[tuple[float, ...]]:
    activations, protocol = data.activations(key, split), data.spec(key).protocol
    truth = data.truth(key) if split == "test" else restrict(data.truth(key, "train"), activations.videos)
    for detections in localize_many(activations, truth.classes, settings):
        rules = {"protocol": protocol["evaluation"], "subset": split}
        yield percent(score(truth, detections, tuple(protocol["tiou"]), **rules).mAP)


def percent(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(100 * value for value in values)


def best_of(settings: list[Scored], tiou: tuple[float, ...], compared: str) -> dict[str, Scored]:
    """The best on each split, the first of equals; HOLDOUT only where videos were held out."""
    found = {}
    if all(one.holdout is not None for one in settings):
        found[HOLDOUT] = max(settings, key=lambda one: at(one.holdout, tiou, compared))
    found[LEAKY] = max(settings, key=lambda one: at(one.test, tiou, compared))
    return found


def at(mAP: tuple[float, ...] | None, tiou: tuple[float, ...], compared: str) -> float:
    """mAP at the tIoU settings are compared by, or its average; NaN where there is none."""
    if mAP is None:
        return math.nan
    return float(np.mean(mAP)) if compared == "average" else mAP[tiou.index(float(compared))]
