"""Specification of a dataset that was found on disk or will be simulated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from tal_search.data.catalog import definition
from tal_search.data.definition import DatasetDefinition
from tal_search.data.sampling.settings import Sampling
from tal_search.types import BACKGROUND_CLICKS, SHARE_OF, VIDEOS, Source, clicks_of

AS_STORED = 0  # T of videos with all their stored snippets, padded to the longest
SIMULATED_DATA, SIMULATED_CLICKS = "simulated data", "simulated clicks"


def simulation_label(source: str, drawn: Collection[str]) -> str:
    """The warning on every table, figure and page: of simulated videos, of real ones with drawn clicks, or "".

    drawn: the kinds of clicks that are drawn and read.
    """
    return SIMULATED_DATA if source == "simulated" else SIMULATED_CLICKS if drawn else ""


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A dataset that was found: everything a worker needs to load it, and what identifies its content.

    `clicks` maps each kind of clicks (of CLICKS) and annotator to the click file ("" for the annotator "embedded",
    whose clicks are stored in the features, and for the clickers of a simulated set). `fingerprint` changes when any
    feature, truth or simulation setting does; `click_fingerprints`, of the same shape, enter the key of a trial that
    reads the clicks. `shares`: label budgets below 1, by the names of SHARE_OF and VIDEOS; or of an annotator's
    background clicks `clicks_per_minute` of video are kept. `layout`: name and timing of the features' layout (see
    `data/features/layouts.py`). `definition`: what its file says, as JSON (see `facts`); None in records of earlier
    versions. `folds`: `by`, `of` and all `subjects` in order (see `data/folds.py`); `fold`: the one that a trial reads,
    None for all videos. `clickers`: how clicks are drawn from the training truth (uniform, gaussian or human), by kind;
    empty if all clicks are real. `sampling`: of both splits as JSON, empty where videos are rescaled, see `sampled`.
    `channels`: D, 0 where no file can be read. `streams`: how many of them are RGB and how many flow, in this order;
    empty where unknown, and in trials of methods that do not tell them apart.
    """

    name: str
    source: Source
    root: str
    ground_truth: str
    clicks: dict[str, dict[str, str]]
    click_fingerprints: dict[str, dict[str, str]]
    snippets: int
    simulation: dict[str, Any]
    fingerprint: str
    description: str
    layout: dict[str, Any] = field(default_factory=dict)
    clicks_per_minute: float | None = None
    definition: dict[str, Any] | None = None
    folds: dict[str, Any] = field(default_factory=dict)
    fold: int | None = None
    shares: dict[str, float] = field(default_factory=dict)
    clickers: dict[str, str] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)
    channels: int = 0
    streams: list[int] = field(default_factory=list)

    @property
    def sampled(self) -> Sampling:
        """How its videos are sampled."""
        return Sampling.from_json(self.sampling)

    @property
    def kept_snippets(self) -> int:
        """T of the arrays that trials read: AS_STORED where they sample real videos, as simulated ones have T."""
        return AS_STORED if self.sampling and self.source == "features" else self.snippets

    @cached_property
    def facts(self) -> DatasetDefinition:
        """The dataset's definition without texts, presets and published numbers, which workers do not need."""
        if self.definition is None:
            return definition(self.name)
        return DatasetDefinition.from_json(self.name, self.definition)

    def share(self, name: str) -> float:
        """The share that is kept: `name` is one of SHARE_OF, or VIDEOS."""
        return self.shares.get(name, 1.0)

    def without_budget(self) -> Self:
        """The same dataset with all its annotations."""
        return replace(self, shares={}, clicks_per_minute=None)

    @property
    def code_source(self) -> str:
        """The source as the code version distinguishes it: drawn clicks are computed by further code."""
        return f"{self.source}+clickers" if self.clickers else self.source

    def drawn(self, supervision: Iterable[str]) -> dict[str, str]:
        """How the clicks of this supervision are drawn, by kind; those that are real are left out."""
        return {kind: self.clickers[kind] for kind in clicks_of(supervision) if kind in self.clickers}

    def fingerprints_read(self, annotator: str, supervision: tuple[str, ...]) -> dict[str, str]:
        """Fingerprint of each kind of clicks that a trial with this supervision reads, and the budgets it is under."""
        read = {kind: self.click_fingerprints[kind][annotator] for kind in clicks_of(supervision)}
        limited = {SHARE_OF.get(name, name): share for name, share in self.shares.items() if share < 1}
        kept = {f"{kind} kept": repr(share) for kind, share in limited.items() if kind in (*supervision, VIDEOS)}
        if self.clicks_per_minute is not None and BACKGROUND_CLICKS in read:
            kept[f"{BACKGROUND_CLICKS} kept"] = f"{self.clicks_per_minute!r} a minute"
        return read | kept

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The specification as stored; earlier versions named the share of background clicks `clicks_fraction`."""
        current = {name: value for name, value in content.items() if name != "clicks_fraction"}
        fraction = content.get("clicks_fraction", 1.0)
        return cls(**(current | ({"shares": {"background_clicks": fraction}} if fraction < 1 else {})))
