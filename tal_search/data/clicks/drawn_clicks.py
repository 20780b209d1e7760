"""Annotators S1, S2, …, whose clicks are drawn from the training truth of a dataset that was found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.simulation.clickers import CLICKERS
from tal_search.errors import Problems
from tal_search.fields import hyper
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, canonical_json

Clicker: TypeAlias = Literal["uniform", "gaussian", "human"]


@dataclass(frozen=True, kw_only=True)
class Clickers:
    """Simulated clicks instead of click files, drawn from the training truth for annotators S1, S2, …

    `background`, `action`: how clicks of that kind are drawn, at most one a gap of 1 s or more, or an instance:
    `uniform` (anywhere in it), `gaussian` (around its middle), `human` (with the misses and slips measured on
    THUMOS14); null = no such clicks are drawn. `instead`: draw them although the dataset has real clicks of that kind.
    """

    background: Clicker | None = None
    action: Clicker | None = None
    annotators: int = hyper(3, "annotators", low=1, high=100, help="simulated annotators, S1 to SN")
    instead: bool = False

    @property
    def by_kind(self) -> dict[str, str]:
        """How clicks are drawn, by kind of clicks that are."""
        both = {BACKGROUND_CLICKS: self.background, ACTION_CLICKS: self.action}
        return {kind: clicker for kind, clicker in both.items() if clicker is not None}


def with_drawn_clicks(spec: DatasetSpec, clickers: Clickers | None) -> DatasetSpec:
    """The dataset with drawn annotators for the kinds of clicks that `clickers` names, and no others for these.

    Raises InputError where real clicks of such a kind are there, unless they are to be replaced (`instead`), and where
    an annotator with a click file of the other kind has the name of a drawn one.
    """
    if clickers is None or not clickers.by_kind:
        return spec
    names, problems = [f"S{number}" for number in range(1, clickers.annotators + 1)], Problems()
    replaced = {kind: _real(spec, kind) for kind in clickers.by_kind}
    for kind, real in replaced.items():
        if real and not clickers.instead:
            key = f"dataset.clickers.{kind.partition(' ')[0]}={clickers.by_kind[kind]}"
            problems.add(
                f"{key} simulates {kind}, but the dataset has real ones ({_listed(real)}); remove the key to use them, "
                "or give dataset.clickers.instead=true"
            )
    for kind, files in spec.clicks.items():
        for name in sorted(files.keys() & set(names)) if kind not in clickers.by_kind else ():
            problems.add(f"{files[name]} has the name of a simulated annotator of dataset.clickers; rename it")
    problems.raise_if_any()
    fingerprints = {kind: _fingerprint(kind, clicker) for kind, clicker in clickers.by_kind.items()}
    return replace(
        spec,
        clickers=clickers.by_kind,
        clicks=spec.clicks | {kind: dict.fromkeys(names, "") for kind in fingerprints},
        click_fingerprints=spec.click_fingerprints
        | {kind: dict.fromkeys(names, fingerprints[kind]) for kind in fingerprints},
        description=f"{spec.description}; {_described(clickers, names, replaced)}",
    )


def _real(spec: DatasetSpec, kind: str) -> list[str]:
    """Names of the click files of a kind, or the words for clicks that are stored in the features."""
    files = spec.clicks[kind]
    return [
        Path(path).name if path else "in the feature files"
        for name, path in files.items()
        if name not in CLICKERS or path
    ]


def _listed(real: list[str]) -> str:
    return real[0] if len(real) == 1 else f"{real[0]} and {len(real) - 1} more"


def _fingerprint(kind: str, clicker: str) -> str:
    """Identifies drawn clicks, given the ground truth, the annotator and the code, which a trial's key has as well."""
    return hashlib.sha256(canonical_json(["simulated", kind, clicker]).encode()).hexdigest()


def _described(clickers: Clickers, names: list[str], replaced: Mapping[str, list[str]]) -> str:
    ways = ", ".join(f"{kind.partition(' ')[0]} {clicker}" for kind, clicker in clickers.by_kind.items())
    who = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    real = [name for files in replaced.values() for name in files]
    return f"simulated clicks ({ways}) of {who}" + (f" instead of real ones ({_listed(real)})" if real else "")
