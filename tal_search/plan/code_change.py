"""Finished trials of other code versions, for studies that accept them as they are (`accept_code_change`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec


def trained_by_other_code(runs: Path, specs: Sequence[TrialSpec]) -> dict[str, str]:
    """Code versions by key, for the specs that are finished under another code version alone; the newest counts.

    `replace(spec, code_version=found)` has the key of the folder that holds the result.
    """
    wanted: dict[str, list[str]] = {}  # key but for the code → keys asked for
    for key, spec in {spec.key: spec for spec in specs}.items():
        if TrialFolder.of(runs, key).result() is None:
            wanted.setdefault(_key_but_for_code(spec), []).append(key)
    if not wanted:
        return {}
    newest: dict[str, tuple[int, str]] = {}
    for experiment, kept, folder in _kept(runs / "trials"):
        if experiment in wanted and kept.key == folder.path.name and folder.result() is not None:
            found = (folder.path / "result.json").stat().st_mtime_ns, kept.code_version
            newest[experiment] = max(found, newest.get(experiment, found))
    return {key: version for experiment, (_, version) in newest.items() for key in wanted[experiment]}


def _key_but_for_code(spec: TrialSpec) -> str:
    """Equal for equal experiments, whichever code ran them."""
    return replace(spec, code_version="").key


def _kept(trials: Path) -> Iterator[tuple[str, TrialSpec, TrialFolder]]:
    """Every trial folder's experiment and spec; folders half written, damaged or of another layout are left out."""
    for path in trials.iterdir() if trials.is_dir() else ():
        folder = TrialFolder(path)
        try:
            content = json.loads((folder.path / "spec.json").read_bytes())
            del content["key"]
            spec = TrialSpec.from_json(content)
            yield _key_but_for_code(spec), spec, folder
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
