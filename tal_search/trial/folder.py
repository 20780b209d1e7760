"""The files of one trial, in `RUNS/trials/KEY/`: written atomically, readable without torch.

`result.json` is written last: a folder that holds it is a finished trial, any other folder is an unfinished one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tal_search.files.atomic import write_atomically, write_json
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec, setting_name


def epoch_row(report: EpochReport) -> dict[str, Any]:
    """A report as a row of `epochs.parquet`: numbers by column."""
    losses = {f"loss/{name}": value for name, value in report.losses.items()}
    return {"epoch": report.epoch, "epochs": report.epochs, "seconds": report.seconds, **losses, **report.scores}


@dataclass(frozen=True)
class TrialFolder:
    """Where one trial keeps its files."""

    path: Path

    @classmethod
    def of(cls, runs: Path, key: str) -> TrialFolder:
        return cls(runs / "trials" / key)

    @property
    def checkpoint(self) -> Path:
        """Weights, optimizer and history of the last saved epoch; at the end, of the selected epoch."""
        return self.path / "checkpoint.pt"

    @property
    def epochs(self) -> Path:
        """Parquet, one row an epoch: losses and scores by name."""
        return self.path / "epochs.parquet"

    @property
    def cas(self) -> Path:
        """npz of float16 class activation sequences of the test videos, and of their affinity masks."""
        return self.path / "cas.npz"

    @property
    def holdout_cas(self) -> Path:
        """The same of the held-out training videos, where the protocol holds some out."""
        return self.path / "cas_holdout.npz"

    @property
    def detections(self) -> Path:
        """ActivityNet-style JSON of the test detections."""
        return self.path / "detections.json"

    @property
    def scores(self) -> Path:
        """JSON of the evaluator: mAP by tIoU and class."""
        return self.path / "scores.json"

    @property
    def log(self) -> Path:
        """Text: what a failed trial said, and what went wrong in one that went on."""
        return self.path / "trial.log"

    def result(self) -> TrialResult | None:
        """The finished trial's result, or None where the trial is unfinished or the file is not one of ours."""
        try:
            return TrialResult.from_json(json.loads((self.path / "result.json").read_text())["result"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def settings(self) -> dict[str, dict[str, Any]]:
        """What further inference settings scored, by setting name: `inference`, `mAP`, `holdout_mAP`, `detections`."""
        try:
            content = json.loads((self.path / "settings.json").read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write_settings(self, settings: dict[str, dict[str, Any]]) -> None:
        write_json(self.path / "settings.json", settings)

    def results(self) -> dict[str | None, TrialResult]:
        """Results of a finished fit by setting name, its own under None; empty where it is unfinished."""
        fit = self.result()
        if fit is None:
            return {}
        # Curves, and so the best epoch on test, exist at the fit's own setting alone.
        other = replace(fit, best_on_test_epoch=None, best_on_test_mAP=None)
        found: dict[str | None, TrialResult] = {None: fit}
        for name, scored in self.settings().items():
            holdout = scored["holdout_mAP"]
            found[name] = replace(
                other,
                mAP=tuple(scored["mAP"]),
                holdout_mAP=None if holdout is None else tuple(holdout),
                detections=scored["detections"],
            )
        return found

    def missing(self, spec: TrialSpec) -> list[dict[str, Any]]:
        """The wanted inference settings that are not scored yet."""
        if not spec.settings:
            return []
        known = self.settings()
        return [inference for inference in spec.settings if setting_name(inference) not in known]

    def complete(self, spec: TrialSpec) -> bool:
        """Whether the fit is finished and every wanted setting scored."""
        return self.result() is not None and not self.missing(spec)

    def write_epochs(self, reports: list[EpochReport]) -> None:
        import pandas  # slow to import, and a preview does not need it

        rows = [epoch_row(report) for report in reports]
        write_atomically(self.epochs, lambda stream: pandas.DataFrame(rows).to_parquet(stream, index=False))

    def epoch_reports(self) -> list[EpochReport]:
        """Every epoch of a finished trial."""
        import pandas

        columns = ("epoch", "epochs", "seconds")
        reports = []
        for row in pandas.read_parquet(self.epochs).to_dict("records"):
            known = {str(name): value for name, value in row.items() if value == value}  # an unevaluated epoch is NaN
            reports.append(
                EpochReport(
                    **{name: known[name] for name in columns},
                    losses={name[5:]: value for name, value in known.items() if name.startswith("loss/")},
                    scores={name: value for name, value in known.items() if "/mAP/" in name},
                )
            )
        return reports

    def write_spec(self, spec: TrialSpec) -> None:
        content = spec.to_json()
        del content["settings"]  # what a study wants scored is no part of the fit
        write_json(self.path / "spec.json", {"key": spec.key, **content})

    def write_result(self, result: TrialResult) -> None:
        write_json(self.path / "result.json", {"result": result.to_json()})
