"""The epochs of a trial on disk: what a tracker has still to send survives the driver, and takes none of its memory.

While a trial runs, each epoch the driver hears of is a line of `reported.jsonl` in the trial's folder. A finished trial
has `epochs.parquet` instead; a failed or pruned one keeps its lines, from which its curves can be copied again.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable
from pathlib import Path

from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport


def path_of(folder: TrialFolder) -> Path:
    return folder.path / "reported.jsonl"


def append(folder: TrialFolder, reports: Iterable[EpochReport]) -> None:
    """Raises OSError where the folder cannot be written."""
    folder.path.mkdir(parents=True, exist_ok=True)
    now = int(time.time() * 1000)
    lines = [json.dumps({"time": now, "report": dataclasses.asdict(report)}) for report in reports]
    with path_of(folder).open("a") as file:
        file.write("\n".join(["", *lines, ""]))  # first ends a line that a full disk cut short


def read(folder: TrialFolder, offset: int = 0) -> tuple[dict[int, tuple[EpochReport, int]], int]:
    """By epoch, the reports from a byte of the file on, each with its time in ms since 1970; and the byte after them.

    A line that a crash cut short is left out; of an epoch that was trained again the newest report counts.
    """
    found: dict[int, tuple[EpochReport, int]] = {}
    try:
        with path_of(folder).open("rb") as file:
            file.seek(offset)
            text = file.read()
    except FileNotFoundError:
        return found, offset
    text = text[: text.rfind(b"\n") + 1]  # the driver may be writing the last line
    for line in text.splitlines():
        try:
            content = json.loads(line)
            report = EpochReport(**content["report"])
        except (ValueError, TypeError, KeyError):
            continue
        found[report.epoch] = report, content["time"]
    return found, offset + len(text)


def forget(folder: TrialFolder) -> None:
    """Remove the lines of a trial whose folder has all its epochs."""
    if folder.epochs.exists():
        path_of(folder).unlink(missing_ok=True)
