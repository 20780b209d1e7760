"""Specification of a dataset that was found on disk or will be simulated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tal_search.types import BACKGROUND_CLICKS, Source, clicks_of


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A dataset that was found: everything a worker needs to load it, and what identifies its content.

    `clicks` maps each kind of clicks (of CLICKS) and annotator to the click file ("" for the annotator "embedded",
    whose clicks are stored in the features, and for the clickers of a simulated set). `fingerprint` changes when any
    feature, truth or simulation setting does; `click_fingerprints`, of the same shape, enter the key of a trial that
    reads the clicks. Of an annotator's background clicks, the share `clicks_fraction` is kept, or `clicks_per_minute`
    of video. `layout`: name and timing of the features' layout (see `data/feature_layout.py`).
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
    clicks_fraction: float = 1.0
    layout: dict[str, Any] = field(default_factory=dict)
    clicks_per_minute: float | None = None

    def fingerprints_read(self, annotator: str, supervision: tuple[str, ...]) -> dict[str, str]:
        """Fingerprint of each kind of clicks that a trial with this supervision reads, and how many are kept."""
        read = {kind: self.click_fingerprints[kind][annotator] for kind in clicks_of(supervision)}
        kept = f"{self.clicks_fraction!r}" if self.clicks_fraction < 1 else ""
        if self.clicks_per_minute is not None:
            kept = f"{self.clicks_per_minute!r} a minute"
        return read | ({f"{BACKGROUND_CLICKS} kept": kept} if BACKGROUND_CLICKS in read and kept else {})
