"""Names and values of a trial's parameters, tags, metrics and files in a copy; independent of MLflow."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import pandas as pd

from tal_search.data.dataset_spec import DatasetSpec, simulation_label
from tal_search.plan.plan import Plan
from tal_search.results.trials import averaged, score_columns
from tal_search.study import Study
from tal_search.text.commands import command_line, repeated
from tal_search.text.csv_text import csv_text
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, State, TrialResult, TrialSpec, objective
from tal_search.types import (
    CASE,
    NO_ANNOTATOR,
    SHARE_OF,
    SUPERVISION,
    VIDEOS,
    canonical_json,
    criterion,
    written,
)

EPOCH_MARK = "seconds"  # a metric of every epoch: it tells which epochs a run holds
RESULT_MARK = "mAP/average"  # a metric of every result
UNIT = "unit.mAP"  # tag of the study's run; copies of earlier versions lack it, and hold fractions of 1
PERCENT = "percent"
LONGEST_NAME = 250  # of a run
LONGEST_DIGEST = 36  # of a dataset


def trial_params(spec: TrialSpec) -> dict[str, str]:
    """All parameters: hyperparameters by name, the others with the prefixes of a study's overrides."""
    inference = {f"inference.{name}": value for name, value in spec.inference.items()}
    protocol = {f"protocol.{name}": value for name, value in spec.protocol.items()}
    data = {f"dataset.{name}": getattr(spec.dataset, name) for name in ("snippets", "clicks_per_minute")}
    shares = {SUPERVISION + name: spec.dataset.share(name) for name in (*SHARE_OF, VIDEOS)}
    rest = {**data, **_sampling(spec.dataset), **shares, "precision": spec.precision}
    return {name: str(value) for name, value in {**spec.hyperparameters, **inference, **protocol, **rest}.items()}


def _sampling(dataset: DatasetSpec) -> dict[str, str]:
    """The sampling of videos as a study sets it; empty where all are rescaled."""
    return {"dataset.sampling": canonical_json(dataset.sampling)} if dataset.sampling else {}


def trial_tags(spec: TrialSpec) -> dict[str, str]:
    return {
        "key": spec.key,
        "method": spec.method,
        "code_version": spec.code_version,
        "annotator": spec.annotator,
        "seed": str(spec.seed),
        **({} if spec.dataset.fold is None else {"fold": str(spec.dataset.fold)}),
        "cell": canonical_json(spec.cell),
        **simulated_tag(spec.dataset, spec.supervision),
    }


def simulated_tag(dataset: DatasetSpec, supervision: Iterable[str]) -> dict[str, str]:
    """The tag `simulated` of results on simulated data or clicks; none otherwise."""
    label = simulation_label(dataset.source, dataset.drawn(supervision))
    return {"simulated": label} if label else {}


def dashboard_link(study: str, key: str = "", address: str = "") -> str:
    """URL of a study, or of one of its fits, in the dashboards; a path if their address is unknown."""
    query = urlencode({"view": "study", **({"trial": key} if key else {})})
    return f"{address.rstrip('/')}/{quote(study, safe='')}/?{query}"


@dataclass(frozen=True)
class Naming:
    """Naming of runs: by the axes that differ from the centre, and by the annotator if there are several.

    centre: every hyperparameter and label budget at the centre of the study.
    """

    axes: tuple[str, ...] = ()
    centre: Mapping[str, object] = field(default_factory=dict)
    annotators: bool = False

    @classmethod
    def of(cls, plan: Plan) -> Naming:
        return cls(plan.axes, {**plan.centre, **plan.reference.shares}, len(plan.annotators) > 1)

    def __call__(self, spec: TrialSpec) -> str:
        """`k_ratio=1/6 · seed 0`; "centre" if nothing differs; a case's name. At most LONGEST_NAME characters."""
        settings = {**spec.hyperparameters, **spec.cell}
        names = [name for name in dict.fromkeys((*self.axes, *spec.cell)) if name in settings and name != CASE]
        changed = [f"{name}={written(settings[name])}" for name in names if settings[name] != self.centre.get(name)]
        cell = str(spec.cell[CASE]) if CASE in spec.cell else " ".join(changed) or "centre"
        annotator = f" · {spec.annotator}" if self.annotators and spec.annotator != NO_ANNOTATOR else ""
        fold = "" if spec.dataset.fold is None else f" · fold {spec.dataset.fold}"
        repeat = f"{annotator} · seed {spec.seed}{fold}"
        room = LONGEST_NAME - len(repeat)
        return (cell if len(cell) <= room else f"{cell[: room - 1]}…") + repeat


def epoch_values(report: EpochReport) -> dict[str, float]:
    """`loss/NAME`, `SPLIT/mAP/TIOU` in percent, and the seconds of training."""
    losses = {f"loss/{name}": value for name, value in report.losses.items()}
    scores = {name: 100 * value for name, value in report.scores.items()}
    return {**losses, **scores, EPOCH_MARK: report.seconds}


def result_values(result: TrialResult) -> dict[str, float]:
    """`mAP/TIOU` of the test split and `selected_holdout_mAP/TIOU` of held-out training videos at the selected epoch,
    with their averages; the number chosen on test is named leaky. All in percent.
    """
    values = _by_tiou("mAP", result.tiou, result.mAP)
    low, high = averaged(result.tiou)
    if (low, high) != (min(result.tiou), max(result.tiou)):  # the average of papers and of our tables
        columns = score_columns(result.tiou, np.array([result.mAP]), np.array([result.mAP]), np.zeros(1))
        values[f"mAP/average/{low:g}-{high:g}"] = float(columns["average"][0])
    if result.holdout_mAP is not None:
        values |= _by_tiou("selected_holdout_mAP", result.tiou, result.holdout_mAP)
    if result.best_on_test_mAP is not None:
        values["best_on_test_leaky/mAP"] = 100 * result.best_on_test_mAP
    return values


def cost_values(plan: Plan, spec: TrialSpec) -> dict[str, float]:
    """The costs of a fit's supervision in seconds, see `Trial`; without the total where it is unknown."""
    seconds, total = plan.cost(spec)
    return {"annotation_seconds": seconds, **({} if total is None else {"annotation_total": total})}


def progress_values(result: TrialResult, best: float) -> dict[str, float]:
    """Metrics of the study's run at each finished fit, in percent: the fit's objective at its own inference settings,
    and the best so far.
    """
    name, mine = f"mAP/{criterion(result.tiou)}", 100 * objective(result)
    return {f"progress/{name}": mine, f"progress/best/{name}": max(mine, best)}


def dataset_values(dataset: DatasetSpec) -> dict[str, str]:
    """A dataset in MLflow's terms: name, digest of the content, source, and profile (JSON)."""
    where = {"path": dataset.root, "ground_truth": dataset.ground_truth} if dataset.root else {}
    simulated = {"simulation": dataset.simulation} if dataset.simulation else {}
    simulated |= {"clickers": dataset.clickers} if dataset.clickers else {}
    profile = {
        "description": dataset.description, "snippets": dataset.snippets, "fingerprint": dataset.fingerprint,
        "clicks": dataset.click_fingerprints,
    }  # fmt: skip
    return {
        "name": dataset.name, "digest": dataset.fingerprint[:LONGEST_DIGEST], "source_type": dataset.source,
        "source": canonical_json({**where, **simulated, "layout": dataset.layout}), "profile": canonical_json(profile),
    }  # fmt: skip


def _by_tiou(name: str, tiou: tuple[float, ...], mAP: tuple[float, ...]) -> dict[str, float]:
    values = {f"{name}/{threshold:g}": 100 * value for threshold, value in zip(tiou, mAP, strict=True)}
    return {**values, f"{name}/average": 100 * (sum(mAP) / len(mAP))}


def trial_files(folder: TrialFolder, state: State) -> tuple[Path, ...]:
    """The files of an ended trial that its copy keeps; some may not exist."""
    if state != "finished":
        return (folder.log,)
    return folder.epochs, folder.checkpoint, folder.detections, folder.scores, folder.scored_settings


def mAP_curve(result: TrialResult) -> str:
    """CSV of mAP in percent by tIoU."""
    return csv_text(pd.DataFrame({"tIoU": result.tiou, "mAP (%)": 100 * np.array(result.mAP)}))


def rebuild_command(study: Study) -> str:
    """The command that completes a study's copy: the last command line, for all its settings matter."""
    return command_line("rebuild", *repeated(study.name, study.runs, study.overrides))


def git_commit() -> dict[str, str]:
    """The commit of the working directory as a tag, if it is a git checkout."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"git.commit": done.stdout.strip()} if done.returncode == 0 else {}
