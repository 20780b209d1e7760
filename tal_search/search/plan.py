"""From a study to its trials: cells × repeats, the centre first. Pure but for looking for the dataset."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tal_search.data.dataset import default_annotators
from tal_search.errors import InputError
from tal_search.localization import Inference
from tal_search.methods import code_version, declaration
from tal_search.metrics.average_precision import parse_tiou
from tal_search.study import (
    INFERENCE,
    SearchSettings,
    Study,
    annotator_problems,
    find_dataset,
    preset_name,
)
from tal_search.trial_folder import TrialFolder
from tal_search.types import DatasetSpec, TrialSpec

RECORDS_READ = 200  # finished trials an estimate is made from


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study resolved: its data, its complete centre, and every trial it asks for, the centre's first.

    `centre` and `inference` are complete; `cells` map each axis of the study to its value; `centre_cell` is the centre
    by axis (in a grid it need not be one of the cells).
    """

    study: Study
    dataset: DatasetSpec
    preset: str
    centre: dict[str, Any]
    inference: dict[str, Any]
    annotators: tuple[str, ...]
    centre_cell: dict[str, Any]
    cells: tuple[dict[str, Any], ...]
    specs: tuple[TrialSpec, ...]


class Preview(NamedTuple):
    """What running a study would mean. `seconds` is None where no finished trial tells how long one takes."""

    cells: int
    repeats: int
    trials: int
    done: int
    to_run: int
    seconds: float | None


def resolve(study: Study) -> Plan:
    """The study's trials. Raises InputError: no data, an annotator without clicks, thresholds that leave nothing."""
    dataset = find_dataset(study)
    problems = annotator_problems(study, dataset)
    wanted = study.search.repeats.annotators
    annotators = default_annotators(dataset) if wanted == "auto" else tuple(wanted)
    preset = preset_name(study, dataset.source)
    centre, inference = _centre(study, preset)
    named = {**centre, **{INFERENCE + name: value for name, value in inference.items()}}
    centre_cell = {axis: named[axis] for axis in study.search.axes}
    assignments = tuple(cells(study.search, centre_cell))
    problems += dict.fromkeys(p for cell in assignments for p in _threshold_problems(study, inference, cell))
    if problems:
        raise InputError(problems)
    plan = Plan(
        study=study, dataset=dataset, preset=preset, centre=centre, inference=inference, annotators=annotators,
        centre_cell=centre_cell, cells=assignments, specs=(),
    )  # fmt: skip
    return Plan(**{**vars(plan), "specs": _specs(plan)})


def cells(search: SearchSettings, centre: dict[str, Any]) -> list[dict[str, Any]]:
    """Every assignment of the axes, each once, the centre first; `centre` holds each axis' value there.

    one_at_a_time: the centre, then each axis in order, one value changed at a time. grid: the product of the axes.
    """
    if search.plan == "grid":
        product = [dict(zip(search.axes, values, strict=True)) for values in itertools.product(*search.axes.values())]
        return sorted(product, key=lambda cell: cell != centre)
    return [dict(centre)] + [
        {**centre, axis: value} for axis, values in search.axes.items() for value in values if value != centre[axis]
    ]


def preview(plan: Plan) -> Preview:
    """How much of the plan is done already, and how long the rest should take."""
    runs, resources = plan.study.runs, plan.study.resources
    done = sum(TrialFolder.of(runs, spec.key).result() is not None for spec in plan.specs)
    to_run = len(plan.specs) - done
    repeats = len(plan.study.search.repeats.seeds) * len(plan.annotators)
    recorded = list(itertools.islice(_seconds_per_epoch(runs, plan), RECORDS_READ))
    concurrent = resources.concurrent_trials or max(1, int(_processors() / resources.cpus_per_trial))
    seconds = None
    if to_run == 0:
        seconds = 0.0
    elif recorded:
        epochs = sum(spec.hyperparameters.get("epochs", 1) for spec in plan.specs) * to_run / len(plan.specs)
        lanes = 1 if resources.backend == "inline" else min(concurrent, to_run)
        seconds = epochs * sum(recorded) / len(recorded) / lanes
    return Preview(len(plan.cells), repeats, len(plan.specs), done, to_run, seconds)


def _centre(study: Study, preset: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Complete hyperparameters and inference settings: defaults, then the preset's, then the study's."""
    method = declaration(study.method)
    presets: dict[str, Any] = dict(method.PRESETS[study.dataset.name][preset])
    presets.pop("snippets", None)
    inference_presets = getattr(method, "INFERENCE_PRESETS", {}).get(study.dataset.name, {}).get(preset, {})
    centre = {**asdict(method.Hyperparameters()), **presets, **study.hyperparameters}
    return centre, {**asdict(Inference()), **inference_presets, **study.inference}


def _specs(plan: Plan) -> tuple[TrialSpec, ...]:
    """Cells × repeats, all repeats of a cell together; what two cells have in common is one trial."""
    study = plan.study
    protocol = {**asdict(study.protocol), "tiou": list(parse_tiou(study.protocol.tiou))}
    version = code_version(study.method)
    repeats = list(itertools.product(study.search.repeats.seeds, plan.annotators))
    found: dict[str, TrialSpec] = {}
    for cell in plan.cells:
        training, inference = _split(cell)
        for seed, annotator in repeats:
            spec = TrialSpec(
                method=study.method, code_version=version, hyperparameters={**plan.centre, **training},
                inference={**plan.inference, **inference}, protocol=protocol, dataset=plan.dataset,
                annotator=annotator, seed=seed, precision=study.resources.precision, cell=cell,
            )  # fmt: skip
            found.setdefault(spec.key, spec)
    return tuple(found.values())


def _split(cell: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The training part and the inference part of a cell, by plain names."""
    training = {axis: value for axis, value in cell.items() if not axis.startswith(INFERENCE)}
    inference = {axis.removeprefix(INFERENCE): value for axis, value in cell.items() if axis not in training}
    return training, inference


def _threshold_problems(study: Study, centre: dict[str, Any], cell: dict[str, Any]) -> list[str]:
    """A range of thresholds that is empty would silently find nothing."""
    inference, problems = {**centre, **_split(cell)[1]}, []
    for low in [name for name in inference if name.endswith("_low")]:
        high = low.removesuffix("_low") + "_high"
        if inference[low] >= inference[high]:
            changed = next((axis for axis in cell if axis in (INFERENCE + low, INFERENCE + high)), None)
            place = study.place(f"search.axes.{changed}" if changed else INFERENCE + low)
            problems.append(
                f"{place}: inference.{low} is {inference[low]:g} and inference.{high} is {inference[high]:g}; "
                "the first must be smaller"
            )
    return problems


def _seconds_per_epoch(runs: Path, plan: Plan) -> Iterator[float]:
    """Seconds an epoch of finished trials of this method on this dataset, the newest first."""
    folders = runs / "trials"
    results = folders.glob("*/result.json") if folders.is_dir() else []
    for path in sorted(results, key=lambda path: path.stat().st_mtime, reverse=True)[:RECORDS_READ]:
        try:
            result = json.loads(path.read_text())["result"]
            spec = json.loads(path.with_name("spec.json").read_text())
            same = (spec["method"], spec["dataset"]["fingerprint"], spec["dataset"]["snippets"])
            if same == (plan.study.method, plan.dataset.fingerprint, plan.dataset.snippets):
                yield float(result["seconds"]) / spec["hyperparameters"].get("epochs", 1)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a folder half written or of another version tells nothing


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
