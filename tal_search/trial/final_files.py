"""The files of a finished trial: their names, their checksums, and the contents of those that hold scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from tal_search.files.checked import (
    Damaged,
    Stamp,
    Unreadable,
    parsing,
    problem_of,
    read_sealed,
    reading,
    version_of,
    write_sealed,
)
from tal_search.trial.trial_types import EpochReport, TrialResult, setting_name

SPEC = "spec.json"
TRUTH = "truth.npz"  # of a fold: the ground truth of its test videos, from which all folds are scored together
# The files of a finished trial that cannot change, listed in result.json with their sizes and checksums.
FINAL = (
    SPEC, "epochs.parquet", "checkpoint.pt", "cas.npz", "cas_holdout.npz", "detections.json", "scores.json", TRUTH,
)  # fmt: skip
# Bytes. A result counts as finished if its smaller files are intact and the larger ones have their sizes: a resumed
# study must not read hundreds of gigabytes. Larger files are compared with their checksums when they are used.
CHECKED_AT_ONCE = 2**20
AGAIN = "the same `run` command trains the trial again"


class ScoredSetting(TypedDict):
    """Scores of a fit at one inference setting, as `settings.json` keeps them; mAP: fractions, by tIoU."""

    inference: dict[str, object]
    mAP: Sequence[float]
    holdout_mAP: Sequence[float] | None
    detections: int
    note: NotRequired[str]


class Ended(NamedTuple):
    """The content of `result.json`. files: size and SHA-256 of the others, by name; empty in older folders."""

    result: TrialResult
    files: dict[str, Stamp]


def epoch_row(report: EpochReport) -> dict[str, float]:
    """A report as a row of `epochs.parquet`: numbers by column."""
    losses = {f"loss/{name}": value for name, value in report.losses.items()}
    return {"epoch": report.epoch, "epochs": report.epochs, "seconds": report.seconds, **losses, **report.scores}


def read_result(path: Path) -> Ended:
    """The content of a `result.json`. Raises FileNotFoundError, Damaged or Unreadable."""
    with reading(path):
        version = version_of(path.stat())
    ended = _read_result(path, version)
    if isinstance(ended, Damaged):
        raise Damaged(path, ended.reason, ended.fix)
    return ended


@lru_cache(maxsize=2**17)
def _read_result(path: Path, _: tuple[int, int, int]) -> Ended | Damaged:
    try:
        return _parsed_result(path)
    except Unreadable:
        raise  # and so it is not cached
    except Damaged as error:
        return error


def _parsed_result(path: Path) -> Ended:
    content = read_sealed(path, older=lambda content: content.keys() == {"result"})
    with parsing(path):
        return Ended(TrialResult.from_json(content["result"]), content.get("files", {}))


def write_ended(folder: Path, ended: Ended) -> None:
    """Write a `result.json`."""
    write_sealed(folder / "result.json", {"result": ended.result.to_json(), "files": ended.files})


def read_settings(path: Path) -> dict[str, ScoredSetting]:
    """Scores by setting name. Raises FileNotFoundError or Damaged."""
    content = read_sealed(path, older=_names_settings)
    if content.keys() == {"settings"}:
        return dict(content["settings"])
    return content


def read_outcome(path: Path) -> dict[str, Any]:
    """The content of an `outcome.json`. Raises FileNotFoundError or Damaged."""
    return read_sealed(path, older=lambda content: content.keys() == {"state", "reason"})


def stamps_in(folder: Path) -> dict[str, Stamp]:
    """Sizes and checksums of a trial's files, by name, if it has ended and the file that lists them is intact."""
    with suppress(OSError, Damaged):
        return read_result(folder / "result.json").files
    with suppress(OSError, Damaged):
        return dict(read_outcome(folder / "outcome.json").get("files", {}))
    return {}


def _names_settings(content: Mapping[str, Any]) -> bool:
    """Whether these are settings of version 0.3.0 or earlier: each is named by its hash."""
    try:
        return all(setting_name(scored["inference"]) == name for name, scored in content.items())
    except (KeyError, TypeError, ValueError):
        return False


def damage_of(folder: Path) -> Iterator[Damaged]:
    """The damaged and missing files of the fit in a finished trial's folder; nothing for an unfinished one.

    Not those that cost no training: its specification and its scores at further settings. Raises Unreadable.
    """
    try:
        files = read_result(folder / "result.json").files
    except OSError:
        return
    except Unreadable:
        raise
    except Damaged as error:
        yield error
        return
    for name, wanted in files.items():
        if name == SPEC:
            continue
        problem = problem_of(folder / name, wanted, most=CHECKED_AT_ONCE)
        if problem is not None:
            yield Damaged(folder / name, problem)


def reports_of(rows: Iterable[dict[str, Any]]) -> Iterator[EpochReport]:
    """The reports that `epoch_row` wrote as these rows."""
    for row in rows:
        known = {name: value for name, value in row.items() if value == value}  # NaN: not evaluated
        yield EpochReport(
            **{name: known[name] for name in ("epoch", "epochs", "seconds")},
            losses={name[5:]: value for name, value in known.items() if name.startswith("loss/")},
            scores={name: value for name, value in known.items() if "/mAP/" in name},
        )
