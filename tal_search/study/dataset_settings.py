"""Settings of the section `dataset` of a study."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tal_search.data.clicks.drawn_clicks import Clickers
from tal_search.data.features.layouts import AUTO, NAMES
from tal_search.data.folds import FEWEST
from tal_search.data.sampling.settings import SamplingChange
from tal_search.data.simulation.videos import Simulation
from tal_search.fields import hyper


@dataclass(frozen=True, kw_only=True)
class FoldSettings:
    """Folds instead of the two splits: `by`, a regular expression that finds the subject in a video's name; `of`, how
    many.

    With as many folds as subjects, each fold leaves one subject out.
    """

    by: str = ""
    of: int = hyper(5, "folds", low=FEWEST, high=1000)


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Source of the videos. `auto`: the features under `root`; without `root`, those under data/NAME, else simulated
    videos.

    `file`: of the dataset's definition; by default datasets/NAME.yaml of the working directory, or the installed one.
    What it says of layout, timing, snippets, thresholds and protocol holds unless the study sets it.

    Features have one of the layouts of docs/datasets.md; `stride`, `offset` (frames) and `fps` give the times of the
    snippets if they differ from the layout's; `streams`: how many channels are RGB and how many flow, in this order, if
    the layout does not say it. `sampling`: how a network sees them (None = the preset's). `clickers`: clicks that are
    drawn instead of read (None = none).
    """

    name: str = "thumos14"
    file: Path | None = None
    layout: str = hyper(AUTO, "layout", choices=NAMES)
    stride: float | None = hyper(None, "stride", low=0.01, high=10_000)
    offset: float | None = hyper(None, "offset", low=0, high=10_000)
    fps: float | None = hyper(None, "fps", low=0.01, high=1000)
    streams: tuple[int, ...] = hyper((), "D", low=1, high=10**6)
    source: Literal["auto", "features", "simulated"] = "auto"
    root: Path | None = None
    ground_truth: Path | None = None
    clicks: Path | None = None
    clicks_fraction: float | None = hyper(
        None, "share", low=0, high=1, help="the older name of supervision.background_clicks"
    )
    clicks_per_minute: float | None = hyper(
        None, "1/min", above=0, help="instead: most background clicks kept per minute of each video"
    )
    snippets: int | None = hyper(None, "T", low=2, high=100_000, help="None = the preset's")
    sampling: SamplingChange | None = None
    folds: FoldSettings | None = None
    clickers: Clickers | None = None
    simulation: Simulation = field(default_factory=Simulation)
