"""The files of one trial, in `RUNS/trials/KEY/`: written atomically, checked when they are read, without torch.

`spec.json` comes first, with the trial's specification. The file that says how the trial ended comes last:
`result.json` of a finished trial, `outcome.json` of one that failed or was pruned. Without either it is unfinished.
These two and `settings.json` hold a checksum of their content, and those of the files that cannot change any more
(`final_files.FINAL`). Folders of version 0.3.0 and earlier have no checksums.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tal_search.files.atomic import replace_file, write_atomically, write_json
from tal_search.files.checked import (
    MISSING,
    Damaged,
    Unreadable,
    parsing,
    problem_of,
    reading,
    refused,
    sealed,
    stamp,
    write_sealed,
)
from tal_search.trial.final_files import (
    AGAIN,
    FINAL,
    SPEC,
    Ended,
    ScoredSetting,
    damage_of,
    epoch_row,
    read_outcome,
    read_result,
    read_settings,
    reports_of,
    stamps_in,
    write_ended,
)
from tal_search.trial.trial_types import EpochReport, TrialOutcome, TrialResult, TrialSpec, setting_name

if TYPE_CHECKING:
    import pandas


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
        return (self.path / SPEC).exists()

    def spec(self) -> TrialSpec | None:
        """The specification; None if its file is missing, damaged or of another version. Raises Unreadable.

        The key covers what the numbers depend on; the file's checksum, once the trial has ended, also the rest.
        """
        path = self.path / SPEC
        try:
            with reading(path):
                text = path.read_bytes()
            content = json.loads(text, parse_constant=refused)
            key = content.pop("key")
            spec = TrialSpec.from_json(content)
            noted = stamps_in(self.path).get(SPEC)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return spec if spec.key == key and (noted is None or problem_of(path, noted) is None) else None

    def result(self) -> TrialResult | None:
        """The finished trial's result; None if the trial is unfinished or one of its files is damaged or missing.

        Raises Unreadable: whoever would train the trial again must not for a file that only cannot be read now.
        """
        try:
            ended = read_result(self.path / "result.json")
        except Unreadable:
            raise
        except (OSError, Damaged):
            return None
        return None if any(damage_of(self.path)) else ended.result

    def verified(self, path: Path) -> Path:
        """A file of an ended trial, compared with its checksum if it has one. Raises Damaged; also if it is missing."""
        fix, problem = f"remove it, and {AGAIN}", None
        try:
            if path == self.scored_settings:
                read_settings(path)
            elif path.name in FINAL:
                problem = problem_of(path, read_result(self.path / "result.json").files.get(path.name))
        except OSError as error:
            raise Damaged(path, f"{error.filename} cannot be read: {error.strerror}", fix) from None
        problem = problem if path.exists() else MISSING
        if problem is not None:
            raise Damaged(path, problem, AGAIN if problem == MISSING else fix)
        return path

    def outcome(self) -> TrialOutcome:
        """How the trial ended. In folders of version 0.3 and earlier, failed and pruned trials are "unfinished"."""
        result = self.result()
        if result is not None:
            return TrialOutcome("finished", result)
        with suppress(OSError, ValueError, KeyError, TypeError, Damaged):
            content = read_outcome(self.path / "outcome.json")
            if content["state"] in ("failed", "pruned"):
                return TrialOutcome(content["state"], reason=content["reason"])
        return TrialOutcome("unfinished")

    def settings(self) -> dict[str, ScoredSetting]:
        """Scores at further inference settings, by setting name; empty if the file is damaged or missing.

        Raises Unreadable.
        """
        try:
            return read_settings(self.scored_settings)
        except Unreadable:
            raise
        except (OSError, Damaged):
            return {}

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
                note=scored.get("note", ""),
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
        """Every epoch of a finished trial. Raises Damaged."""
        rows = self.epoch_table().to_dict("records")
        with parsing(self.epochs, f"remove it, and {AGAIN}"):
            return list(reports_of({str(name): value for name, value in row.items()} for row in rows))

    def epoch_table(self) -> pandas.DataFrame:
        """The rows of `epoch_row` of a finished trial, one per epoch. Raises Damaged."""
        import pandas  # slow to import, and a preview does not need it

        with parsing(self.verified(self.epochs), f"remove it, and {AGAIN}"):
            return pandas.read_parquet(self.epochs)

    def write_spec(self, spec: TrialSpec) -> None:
        content = spec.to_json()
        del content["settings"]  # they depend on the study, not on the fit
        write_json(self.path / SPEC, {"key": spec.key, **content})

    def write_epochs(self, reports: list[EpochReport]) -> None:
        import pandas

        rows = [epoch_row(report) for report in reports]
        write_atomically(self.epochs, lambda stream: pandas.DataFrame(rows).to_parquet(stream, index=False))

    def write_settings(self, settings: Mapping[str, ScoredSetting]) -> None:
        write_sealed(self.scored_settings, {"settings": settings})

    def write_result(self, result: TrialResult) -> None:
        """Written last: with the checksums of the other files, as they are now."""
        files = {name: stamp(self.path / name) for name in FINAL if (self.path / name).exists()}
        write_ended(self.path, Ended(result, files))

    def write_outcome(self, outcome: TrialOutcome) -> None:
        """Written by the driver, for a failed or pruned trial: the trial's own process may have died.

        If the folder cannot be written or its disk is full, the file is left out, without waiting: the record also
        holds the state and the reason. A `result.json` takes precedence.
        """
        with suppress(OSError):
            files = {SPEC: stamp(self.path / SPEC)} if self.has_spec() else {}
            content = sealed({"state": outcome.state, "reason": outcome.reason, "files": files})
            replace_file(self.path / "outcome.json", json.dumps(content).encode())

    def forget_outcome(self) -> None:
        """Remove the outcome, before another attempt at a failed or pruned trial."""
        with suppress(OSError):
            (self.path / "outcome.json").unlink()
