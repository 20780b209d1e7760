"""Inference settings of one finished fit: those that studies scored, and others scored anew from its activations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from itertools import repeat
from typing import NamedTuple

import numpy as np

from tal_dashboards.data.study_data import StudyData
from tal_search.data.splits import restrict
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize, localize_many, proposal_key
from tal_search.metrics.average_precision import score
from tal_search.types import Detections

# Slider → its range and step; `Inference` allows more, and a study may use it: see `slider_range`.
SLIDERS = {
    "class_threshold": (0.0, 1.0, 0.01),
    "activation_low": (0.0, 0.95, 0.05),
    "activation_high": (0.05, 1.0, 0.05),
    "outer_margin": (0.0, 1.0, 0.05),
    "score_weight": (0.0, 1.0, 0.05),
    "nms": (0.05, 1.0, 0.05),
}
FIELDS = {field.name: field for field in fields(Inference)}
SWEPT = 11  # settings along one slider


class Scored(NamedTuple):
    """mAP by tIoU of one inference setting of one fit, in percent: on test videos, and on those held out, if any."""

    inference: Inference
    test: tuple[float, ...]
    holdout: tuple[float, ...] | None

    def on(self, split: str) -> tuple[float, ...] | None:
        return self.test if split == "test" else self.holdout


def recorded(data: StudyData, key: str) -> dict[Inference, Scored]:
    """What studies scored a finished fit with, the settings that it was trained with first."""
    folder, trained = data.folder(key), data.spec(key).inference
    settings, found = folder.settings(), {}
    for name, result in folder.results().items():
        inference = Inference(**(trained if name is None else settings[name]["inference"]))
        found[inference] = Scored(inference, percent(result.mAP), result.holdout_mAP and percent(result.holdout_mAP))
    return found


def own_inference(data: StudyData, key: str) -> Inference:
    """The settings at the study's centre, where the fit was scored with them; else those it was trained with."""
    centre, known = Inference(**data.inference), recorded(data, key)
    return centre if centre in known else next(iter(known))


def detections_at(data: StudyData, key: str, inference: Inference) -> Detections:
    """Test detections of a fit: those it keeps, or, at other settings, localized from its activations."""
    if inference == Inference(**data.spec(key).inference):
        return data.detections(key)
    return localize(data.activations(key), data.truth(key).classes, inference)


def slider_range(slider: str, own: Inference) -> tuple[float, float, float]:
    """Range and step of a slider, as far as the study's own value: margins are 200 lengths on HACS."""
    low, high, step = SLIDERS[slider]
    return low, max(high, getattr(own, slider)), step


def along(inference: Inference, slider: str) -> list[Inference]:
    """Settings from one end of a slider to the other, the rest as it is; those without thresholds left out."""
    low, high, _ = slider_range(slider, inference)
    values = np.linspace(low, high, SWEPT).round(6).tolist()
    swept = [replace(inference, **{slider: value}) for value in values]
    return [one for one in swept if one.activation_low < one.activation_high]


def rescored(data: StudyData, key: str, settings: list[Inference]) -> list[Scored]:
    """The settings scored from the kept activations, in their order, under the fit's own protocol."""
    order = sorted(range(len(settings)), key=lambda index: proposal_key(settings[index]))  # neighbours share proposals
    wanted = [settings[index] for index in order]
    tested = _scores(data, key, "test", wanted)
    held: Iterable[tuple[float, ...] | None] = repeat(None)
    if data.folder(key).holdout_cas.exists():
        held = _scores(data, key, "holdout", wanted)
    found = {
        index: Scored(settings[index], *both)
        for index, both in zip(order, zip(tested, held, strict=False), strict=True)
    }
    return [found[index] for index in range(len(settings))]


def _scores(data: StudyData, key: str, split: str, settings: list[Inference]) -> Iterator[tuple[float, ...]]:
    activations, protocol = data.activations(key, split), data.spec(key).protocol
    truth = data.truth(key) if split == "test" else restrict(data.truth(key, "train"), activations.videos)
    for detections in localize_many(activations, truth.classes, settings):
        rules = {"protocol": protocol["evaluation"], "subset": split}
        yield percent(score(truth, detections, tuple(protocol["tiou"]), **rules).mAP)


def percent(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(100 * value for value in values)


def best_on(split: str, settings: list[Scored], tiou: tuple[float, ...], compared: str) -> Scored | None:
    """The first of the best on "test" or "holdout"; None where there are no such scores."""
    known = [one for one in settings if one.on(split) is not None]
    return max(known, key=lambda one: at(one.on(split), tiou, compared), default=None)


def at(mAP: tuple[float, ...] | None, tiou: tuple[float, ...], compared: str) -> float:
    """mAP at the tIoU settings are compared by, or its average; NaN where there is none."""
    if mAP is None:
        return math.nan
    return float(np.mean(mAP)) if compared == "average" else mAP[tiou.index(float(compared))]
