"""What a tracker is told about a trial: names and values, whoever keeps them."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from pathlib import Path
from urllib.parse import quote, urlencode

from tal_search.tracking.tracker import Status
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec
from tal_search.types import canonical_json

EPOCH_MARK = "seconds"  # a metric every epoch has, by which a continued run knows its epochs
RESULT_MARK = "mAP/average"  # the same for the result


def trial_params(spec: TrialSpec) -> dict[str, str]:
    """Complete: hyperparameters by name, the rest with the prefixes a study's overrides use."""
    inference = {f"inference.{name}": value for name, value in spec.inference.items()}
    protocol = {f"protocol.{name}": value for name, value in spec.protocol.items()}
    data = {name: getattr(spec.dataset, name) for name in ("snippets", "clicks_fraction", "clicks_per_minute")}
    rest = {**{f"dataset.{name}": value for name, value in data.items()}, "precision": spec.precision}
    return {name: str(value) for name, value in {**spec.hyperparameters, **inference, **protocol, **rest}.items()}


def trial_tags(spec: TrialSpec) -> dict[str, str]:
    return {
        "key": spec.key,
        "method": spec.method,
        "code_version": spec.code_version,
        "annotator": spec.annotator,
        "seed": str(spec.seed),
        "cell": canonical_json(spec.cell),
    }


def dashboard_path(study: str, key: str = "") -> str:
    """Where the dashboards show a study, or one of its fits, below the address that they are served at."""
    return f"/{quote(study, safe='')}/?{urlencode({'view': 'study', **({'trial': key} if key else {})})}"


def run_name(spec: TrialSpec) -> str:
    cell = " ".join(f"{name}={value}" for name, value in spec.cell.items())
    return f"{cell or spec.method} {spec.annotator} seed={spec.seed}"


def epoch_values(report: EpochReport) -> dict[str, float]:
    """`loss/NAME`, `SPLIT/mAP/TIOU` and the epoch's seconds of training."""
    losses = {f"loss/{name}": value for name, value in report.losses.items()}
    return {**losses, **report.scores, EPOCH_MARK: report.seconds}


def result_values(result: TrialResult) -> dict[str, float]:
    """At the selected epoch, `mAP/TIOU` of the test split, `selected_holdout_mAP/TIOU` of held-out training videos,
    and their averages; the number chosen on test is named leaky.
    """
    values = _by_tiou("mAP", result.tiou, result.mAP)
    if result.holdout_mAP is not None:
        values |= _by_tiou("selected_holdout_mAP", result.tiou, result.holdout_mAP)
    if result.best_on_test_mAP is not None:
        values["best_on_test_leaky/mAP"] = result.best_on_test_mAP
    return values


def _by_tiou(name: str, tiou: tuple[float, ...], mAP: tuple[float, ...]) -> dict[str, float]:
    values = {f"{name}/{threshold:g}": value for threshold, value in zip(tiou, mAP, strict=True)}
    return {**values, f"{name}/average": sum(mAP) / len(mAP)}


def settings_of(folder: TrialFolder) -> Path:
    """What further inference settings scored: one file a fit, which grows when a study asks for more of them."""
    return folder.path / "settings.json"


def trial_files(folder: TrialFolder, status: Status) -> tuple[Path, ...]:
    """The files of a trial that is over that a copy keeps, as far as they exist."""
    if status != "finished":
        return (folder.log,)
    return folder.epochs, folder.checkpoint, folder.detections, folder.scores, settings_of(folder)


def mAP_curve(result: TrialResult) -> str:
    """CSV: tIoU, mAP."""
    text = io.StringIO()
    csv.writer(text).writerows([("tIoU", "mAP"), *zip(result.tiou, result.mAP, strict=True)])
    return text.getvalue()


def git_commit() -> dict[str, str]:
    """The commit of the working directory as a tag, where it is a git checkout."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"git.commit": done.stdout.strip()} if done.returncode == 0 else {}


def without_password(uri: str) -> str:
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", uri)
