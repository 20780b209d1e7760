"""Finished trials of other code versions, which a study uses with `accept_code_change`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tal_search.files.checked import Unreadable
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec


def trained_by_other_code(runs: Path, specs: Sequence[TrialSpec]) -> dict[str, str]:
    """The newest code version by key, of the specs that are finished only under another code version.

    `replace(spec, code_version=VERSION)` has the key of the folder that holds the result.
    """
    wanted: dict[str, list[str]] = {}  # keys by experiment, see _experiment
    for key, spec in {spec.key: spec for spec in specs}.items():
        if TrialFolder.of(runs, key).result() is None:
            wanted.setdefault(_experiment(spec), []).append(key)
    if not wanted:
        return {}
    newest: dict[str, tuple[int, str]] = {}
    for experiment, kept, folder in _kept(runs / "trials"):
        if experiment in wanted and kept.key == folder.path.name and folder.result() is not None:
            version = (folder.path / "result.json").stat().st_mtime_ns, kept.code_version
            newest[experiment] = max(version, newest.get(experiment, version))
    return {key: version for experiment, (_, version) in newest.items() for key in wanted[experiment]}


def _experiment(spec: TrialSpec) -> str:
    """The key without the code version: equal for one experiment under different code."""
    return replace(spec, code_version="").key


def _kept(trials: Path) -> Iterator[tuple[str, TrialSpec, TrialFolder]]:
    """Experiment, spec and folder of every trial; folders half written, damaged or of another layout are skipped."""
    for path in trials.iterdir() if trials.is_dir() else ():
        folder = TrialFolder(path)
        spec = None
        with suppress(Unreadable):
            spec = folder.spec()
        if spec is not None:
            yield _experiment(spec), spec, folder
