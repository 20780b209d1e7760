"""Settings of the section `dataset` of a study."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tal_search.data.features.layouts import AUTO, NAMES
from tal_search.data.simulation.videos import Simulation
from tal_search.fields import hyper


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Source of the videos. `auto`: the features under `root`; without `root`, those under data/NAME, else simulated
    videos.

    Features have one of the layouts of docs/datasets.md; `stride`, `offset` (frames) and `fps` give the times of the
    snippets if they differ from the layout's.
    """

    name: str = "thumos14"
    layout: str = hyper(AUTO, "layout", choices=NAMES)
    stride: float | None = hyper(None, "stride", above=0, high=10_000)
    offset: float | None = hyper(None, "offset", low=0, high=10_000)
    fps: float | None = hyper(None, "fps", above=0, high=1000)
    source: Literal["auto", "features", "simulated"] = "auto"
    root: Path | None = None
    ground_truth: Path | None = None
    clicks: Path | None = None
    clicks_fraction: float = hyper(
        1.0, "share", low=0, high=1, help="share of each annotator's background clicks that is kept, a fixed draw"
    )
    clicks_per_minute: float | None = hyper(
        None, "1/min", above=0, help="instead: most background clicks kept per minute of each video"
    )
    snippets: int | None = hyper(None, "T", low=2, high=100_000, help="None = the preset's")
    simulation: Simulation = field(default_factory=Simulation)
