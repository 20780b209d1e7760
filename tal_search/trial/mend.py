"""Mends the folder of a finished trial: sets damaged files aside, and writes those again that cost no training."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tal_search.errors import LISTED
from tal_search.files.checked import ASIDE, MISSING, Damaged, Unreadable, set_aside, stamp
from tal_search.files.lock_file import open_locked
from tal_search.trial.final_files import SPEC, damage_of, read_result, read_settings, stamps_in, write_ended
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec

# Without them a folder is not that of a finished trial; methods without activations keep no others.
ALWAYS = (SPEC, "epochs.parquet", "checkpoint.pt", "detections.json", "scores.json")


def mend(folder: TrialFolder, spec: TrialSpec, recorded: TrialResult | None = None, *, dry: bool = False) -> list[str]:
    """Set aside the damaged files of a finished trial; returns a sentence for each.

    recorded: the fit's result in a record, from which `result.json` is written again if the trial's scores are the
    same. If another file of the fit is damaged, `result.json` is set aside too, so that the trial is unfinished.
    `spec.json` is written again; `settings.json` is made again by scoring. dry: change nothing. Nothing is done
    while another process works in the folder. Raises OSError, and Unreadable where a file cannot be read now.
    """
    if not _mend(folder, spec, recorded, dry=True):
        return []
    with _locked(folder.path / "lock", dry=dry) as free:
        # A worker that has it writes these files: until it ends, the trial is unfinished.
        return _mend(folder, spec, recorded, dry=dry) if free else []


@contextmanager
def _locked(path: Path, *, dry: bool) -> Iterator[bool]:
    """Lock a trial's folder for the block; False where another process has it. dry: make no lock file."""
    if dry and not os.access(path, os.W_OK):  # there is none, or it is another user's
        yield True
        return
    file, free = open_locked(path)
    with file:
        yield free


def _mend(folder: TrialFolder, spec: TrialSpec, recorded: TrialResult | None, *, dry: bool) -> list[str]:
    sentences = _mend_fit(folder, recorded, dry=dry)
    try:
        read_settings(folder.scored_settings)
    except Unreadable:
        raise
    except Damaged as error:
        sentences.append(_aside(error, "its settings are scored again", dry=dry))
    except OSError:
        pass  # there are none
    known = folder.has_spec() or SPEC in stamps_in(folder.path)
    if known and folder.result() is not None and folder.spec() is None:
        reason = "it differs from its checksum" if folder.has_spec() else MISSING
        sentences.append(_aside(Damaged(folder.path / SPEC, reason), "it is written again", dry=dry))
        if not dry:
            ended = read_result(folder.path / "result.json")
            folder.write_spec(spec)
            write_ended(folder.path, ended._replace(files={**ended.files, SPEC: stamp(folder.path / SPEC)}))
    return sentences


def listed(sentences: list[str]) -> list[str]:
    """The first LISTED sentences; the others are counted."""
    more = len(sentences) - LISTED
    return sentences if more <= 0 else [*sentences[:LISTED], f"and {more} more damaged files like these"]


def _mend_fit(folder: TrialFolder, recorded: TrialResult | None, *, dry: bool) -> list[str]:
    result = folder.path / "result.json"
    damaged = list(damage_of(folder.path))
    if not result.exists() and folder.epochs.exists():  # which is written just before
        damaged = [Damaged(result, MISSING)]
    if not damaged:
        return []
    if damaged[0].path == result and recorded is not None and _agrees(folder, recorded):
        sentence = _aside(damaged[0], "it is written again from the record", dry=dry)
        if not dry:
            folder.write_result(recorded)
        return [sentence]
    sentences = [_aside(error, "the trial is trained again", dry=dry) for error in damaged]
    if result.exists() and not dry:
        set_aside(result)
    return sentences


def _agrees(folder: TrialFolder, recorded: TrialResult) -> bool:
    """Whether the files of a fit are there, none was set aside, and its scores are those of this result."""
    if not all((folder.path / name).exists() for name in ALWAYS) or any(folder.path.glob(f"*{ASIDE}*")):
        return False
    with suppress(OSError, ValueError, KeyError, TypeError):
        scores = json.loads(folder.scores.read_bytes())
        return tuple(scores["mAP"]) == recorded.mAP and tuple(scores["tiou"]) == recorded.tiou
    return False


def _aside(error: Damaged, then: str, *, dry: bool) -> str:
    """Set a damaged file aside; returns the sentence for the user."""
    kept = f"; it is kept as {set_aside(error.path).name}" if error.path.exists() and not dry else ""
    return f"{error}{kept}; {then}"
