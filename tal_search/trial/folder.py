"""The files of one trial, in `RUNS/trials/KEY/`: written atomically, readable without torch.

`spec.json` comes first, with the trial's specification. The file that says how the trial ended comes last:
`result.json` of a finished trial, `outcome.json` of one that failed or was pruned. Without either it is unfinished.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from tal_search.files.atomic import replace_file, write_atomically, write_json
from tal_search.trial.trial_types import EpochReport, TrialOutcome, TrialResult, TrialSpec, setting_name


class ScoredSetting(TypedDict):
    """Scores of a fit at one inference setting, as `settings.json` keeps them; mAP: fractions, by tIoU."""

    inference: dict[str, object]
    mAP: Sequence[float]
    holdout_mAP: Sequence[float] | None
    detections: int


def epoch_row(report: EpochReport) -> dict[str, float]:
    """A report as a row of `epochs.parquet`: numbers by column."""
    losses = {f"loss/{name}": value for name, value in report.losses.items()}
    return {"epoch": report.epoch, "epochs": report.epochs, "seconds": report.seconds, **losses, **report.scores}


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} has no key: such a specification is never written")


@dataclass(frozen=True)
class TrialFolder:
    """One trial's folder."""

    path: Path

    @classmethod
    def of(cls, runs: Path, key: str) -> TrialFolder:
        return cls(runs / "trials" / key)

    @property
    def checkpoint(self) -> Path:
        """Weights at the selected epoch of a finished trial."""
        return self.path / "checkpoint.pt"

    @property
    def epochs(self) -> Path:
        """Parquet, one row per epoch: losses and scores by name."""
        return self.path / "epochs.parquet"

    @property
    def cas(self) -> Path:
        """npz of float16 class activation sequences of the test videos, and of their affinity masks."""
        return self.path / "cas.npz"

    @property
    def holdout_cas(self) -> Path:
        """The same for the held-out training videos, if the protocol holds some out."""
        return self.path / "cas_holdout.npz"

    @property
    def detections(self) -> Path:
        """ActivityNet-style JSON of the test detections."""
        return self.path / "detections.json"

    @property
    def scores(self) -> Path:
        """The evaluator's JSON: mAP by tIoU and class."""
        return self.path / "scores.json"

    @property
    def scored_settings(self) -> Path:
        """JSON of the scores at further inference settings; it grows when a study asks for more of them."""
        return self.path / "settings.json"

    @property
    def log(self) -> Path:
        """Text: the traceback of a failed trial, and warnings of a trial that continued."""
        return self.path / "trial.log"

    def has_spec(self) -> bool:
        """Whether a trial was begun in this folder."""
        return (self.path / "spec.json").exists()

    def spec(self) -> TrialSpec | None:
        """The trial's specification; None if the file is missing, damaged or of a version with other fields."""
        try:
            content = json.loads((self.path / "spec.json").read_bytes(), parse_constant=_refused)
            del content["key"]
            return TrialSpec.from_json(content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def result(self) -> TrialResult | None:
        """The finished trial's result; None if the trial is unfinished or the file is damaged."""
        try:
            return TrialResult.from_json(json.loads((self.path / "result.json").read_text())["result"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def outcome(self) -> TrialOutcome:
        """How the trial ended. In folders of version 0.3 and earlier, failed and pruned trials are "unfinished"."""
        result = self.result()
        if result is not None:
            return TrialOutcome("finished", result)
        try:
            content = json.loads((self.path / "outcome.json").read_text())
            if content["state"] in ("failed", "pruned"):
                return TrialOutcome(content["state"], reason=content["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return TrialOutcome("unfinished")

    def settings(self) -> dict[str, ScoredSetting]:
        """Scores at further inference settings, by setting name."""
        try:
            content = json.loads(self.scored_settings.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def results(self) -> dict[str | None, TrialResult]:
        """Results of a finished fit by setting name, None for its own setting; empty if it is unfinished."""
        fit = self.result()
        if fit is None:
            return {}
        # Only the fit's own setting has curves, and so a best epoch on test.
        other = replace(fit, best_on_test_epoch=None, best_on_test_mAP=None)
        results: dict[str | None, TrialResult] = {None: fit}
        for name, scored in self.settings().items():
            holdout = scored["holdout_mAP"]
            results[name] = replace(
                other,
                mAP=tuple(scored["mAP"]),
                holdout_mAP=None if holdout is None else tuple(holdout),
                detections=scored["detections"],
            )
        return results

    def missing(self, spec: TrialSpec) -> list[dict[str, Any]]:
        """The wanted inference settings that are not scored yet."""
        if not spec.settings:
            return []
        known = self.settings()
        return [inference for inference in spec.settings if setting_name(inference) not in known]

    def complete(self, spec: TrialSpec) -> bool:
        """Whether the fit is finished and every wanted setting is scored."""
        return self.result() is not None and not self.missing(spec)

    def epoch_reports(self) -> list[EpochReport]:
        """Every epoch of a finished trial."""
        import pandas

        columns = ("epoch", "epochs", "seconds")
        reports = []
        for row in pandas.read_parquet(self.epochs).to_dict("records"):
            known = {str(name): value for name, value in row.items() if value == value}  # NaN: not evaluated
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
        del content["settings"]  # they depend on the study, not on the fit
        write_json(self.path / "spec.json", {"key": spec.key, **content})

    def write_epochs(self, reports: list[EpochReport]) -> None:
        import pandas  # slow to import, and a preview does not need it

        rows = [epoch_row(report) for report in reports]
        write_atomically(self.epochs, lambda stream: pandas.DataFrame(rows).to_parquet(stream, index=False))

    def write_settings(self, settings: Mapping[str, ScoredSetting]) -> None:
        write_json(self.scored_settings, settings)

    def write_result(self, result: TrialResult) -> None:
        write_json(self.path / "result.json", {"result": result.to_json()})

    def write_outcome(self, outcome: TrialOutcome) -> None:
        """Written by the driver, for a failed or pruned trial: the trial's own process may have died.

        If the folder cannot be written or its disk is full, the file is left out, without waiting: the record also
        holds the state and the reason. A `result.json` takes precedence.
        """
        with suppress(OSError):
            content = {"state": outcome.state, "reason": outcome.reason}
            replace_file(self.path / "outcome.json", json.dumps(content).encode())

    def forget_outcome(self) -> None:
        """Remove the outcome, before another attempt at a failed or pruned trial."""
        with suppress(OSError):
            (self.path / "outcome.json").unlink()
