"""Scores of one finished fit by inference setting: those in its folder, and new ones from its stored activations."""

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

# Range and step of each slider; `Inference` allows more, see `slider_range`.
SLIDERS = {
    "class_threshold": (0.0, 1.0, 0.01),
    "activation_low": (0.0, 0.95, 0.05),
    "activation_high": (0.05, 1.0, 0.05),
    "outer_margin": (0.0, 1.0, 0.05),
    "score_weight": (0.0, 1.0, 0.05),
    "nms": (0.05, 1.0, 0.05),
}
FIELDS = {field.name: field for field in fields(Inference)}
SWEPT = 11  # settings of the curve along one slider


class Scored(NamedTuple):
    """mAP in percent by tIoU of one inference setting of one fit, on test videos and on held-out videos, if any."""

    inference: Inference
    test: tuple[float, ...]
    holdout: tuple[float, ...] | None

    def on(self, split: str) -> tuple[float, ...] | None:
        return self.test if split == "test" else self.holdout


def recorded(data: StudyData, key: str) -> dict[Inference, Scored]:
    """Scores in the folder of a finished fit, those at its training's settings first."""
    trained, scores = data.spec(key).inference, {}
    results, settings = data.results(key), data.folder(key).settings()
    for name, result in results.items():
        inference = Inference(**(trained if name is None else settings[name]["inference"]))
        scores[inference] = Scored(inference, percent(result.mAP), result.holdout_mAP and percent(result.holdout_mAP))
    return scores


def own_inference(data: StudyData, key: str) -> Inference:
    """The settings at the study's centre if the fit was scored with them, else those of its training."""
    centre, known = Inference(**data.inference), recorded(data, key)
    return centre if centre in known else next(iter(known))


def detections_at(data: StudyData, key: str, inference: Inference) -> Detections:
    """Test detections of a fit: the stored ones, or for other settings localized from its activations."""
    if inference == Inference(**data.spec(key).inference):
        return data.detections(key)
    return localize(data.activations(key), data.truth(key).classes, inference)


def slider_range(slider: str, own: Inference) -> tuple[float, float, float]:
    """Range and step of a slider, extended to the study's own value: on HACS, margins are 200 lengths."""
    low, high, step = SLIDERS[slider]
    return low, max(high, getattr(own, slider)), step


def along(inference: Inference, slider: str) -> list[Inference]:
    """Settings along a slider, the others unchanged, without those whose range of activation thresholds is empty."""
    low, high, _ = slider_range(slider, inference)
    values = np.linspace(low, high, SWEPT).round(6).tolist()
    swept = [replace(inference, **{slider: value}) for value in values]
    return [setting for setting in swept if setting.activation_low < setting.activation_high]


def rescored(data: StudyData, key: str, settings: list[Inference]) -> list[Scored]:
    """Scores of the settings from the stored activations under the fit's protocol, in the order given."""
    order = sorted(
        range(len(settings)), key=lambda index: proposal_key(settings[index])
    )  # so neighbours share proposals
    wanted = [settings[index] for index in order]
    tested = _scores(data, key, "test", wanted)
    held: Iterable[tuple[float, ...] | None] = repeat(None)
    if data.folder(key).holdout_cas.exists():
        held = _scores(data, key, "holdout", wanted)
    scored = {
        index: Scored(settings[index], *both)
        for index, both in zip(order, zip(tested, held, strict=False), strict=True)
    }
    return [scored[index] for index in range(len(settings))]


def _scores(data: StudyData, key: str, split: str, settings: list[Inference]) -> Iterator[tuple[float, ...]]:
    activations, protocol = data.activations(key, split), data.spec(key).protocol
    truth = data.truth(key) if split == "test" else restrict(data.truth(key, "train"), activations.videos)
    for detections in localize_many(activations, truth.classes, settings):
        rules = {"protocol": protocol["evaluation"], "subset": split}
        yield percent(score(truth, detections, tuple(protocol["tiou"]), **rules).mAP)


def percent(values: Iterable[float]) -> tuple[float, ...]:
    """Fractions as percentages."""
    return tuple(100 * value for value in values)


def best_on(split: str, settings: list[Scored], tiou: tuple[float, ...], compared: str) -> Scored | None:
    """The best setting on "test" or "holdout", the first of equals; None without such scores."""
    known = [scored for scored in settings if scored.on(split) is not None]
    return max(known, key=lambda scored: at(scored.on(split), tiou, compared), default=None)


def at(mAP: tuple[float, ...] | None, tiou: tuple[float, ...], compared: str) -> float:
    """mAP at the tIoU that settings are compared by, or the average over tIoU; NaN without scores."""
    if mAP is None:
        return math.nan
    return float(np.mean(mAP)) if compared == "average" else mAP[tiou.index(float(compared))]
