"""Log of a trial's epochs on disk: a tracker's unsent epochs survive the driver, and do not fill its memory.

While a trial runs, the driver appends each epoch to `reported.jsonl` in the trial's folder. A finished trial has
`epochs.parquet` instead; a failed or pruned one keeps its log, from which its curves can be copied again.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tal_search.files.checked import sealed, unsealed
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport


def path_of(folder: TrialFolder) -> Path:
    return folder.path / "reported.jsonl"


def append(folder: TrialFolder, reports: Iterable[EpochReport]) -> None:
    """Append reports to the log. Raises OSError if the folder cannot be written."""
    folder.path.mkdir(parents=True, exist_ok=True)
    now = int(time.time() * 1000)
    lines = [json.dumps(sealed({"time": now, "report": dataclasses.asdict(report)})) for report in reports]
    with path_of(folder).open("a") as file:
        file.write("\n".join(["", *lines, ""]))  # the first line break ends a line cut short by a full disk


def read(folder: TrialFolder, offset: int = 0) -> tuple[dict[int, tuple[EpochReport, int]], int]:
    """Reports by epoch, each with its time in ms since 1970, from a byte offset on; and the offset after them.

    A damaged line, or one cut short by a crash, is skipped; if an epoch was trained again, its newest report counts.
    """
    reports: dict[int, tuple[EpochReport, int]] = {}
    try:
        with path_of(folder).open("rb") as file:
            file.seek(offset)
            text = file.read()
    except FileNotFoundError:
        return reports, offset
    text = text[: text.rfind(b"\n") + 1]  # the driver may be writing the last line
    for line in text.splitlines():
        content = unsealed(line, older=lambda content: content.keys() == {"time", "report"})
        if content is None:
            continue
        with suppress(TypeError, KeyError):  # of another version
            report = EpochReport(**content["report"])
            reports[report.epoch] = report, content["time"]
    return reports, offset + len(text)


def reports_of(folder: TrialFolder, offset: int, *, finished: bool) -> tuple[dict[int, tuple[EpochReport, int]], int]:
    """The same of a trial that may have finished: then all its epochs, and the offset as it was. Raises Damaged."""
    if not finished or not folder.epochs.exists():
        return read(folder, offset)
    now = int(time.time() * 1000)
    return {report.epoch: (report, now) for report in folder.epoch_reports()}, offset


def forget(folder: TrialFolder) -> None:
    """Remove the log of a trial whose folder has all epochs."""
    if folder.epochs.exists():
        path_of(folder).unlink(missing_ok=True)
