"""Definition of a dataset: the content of a file `datasets/NAME.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tal_search.data.sampling.settings import SamplingChange
from tal_search.fields import hyper
from tal_search.types import PROTOCOLS, canonical_json

LAYOUTS = ("auto", "backtal", "basnet", "hdf5", "actionformer", "converted")
FEWEST_SNIPPETS, MOST_SNIPPETS = 2, 100_000
MOST_VIDEOS = 10**7
USUAL_SNIPPETS = 750  # T of THUMOS14's papers, where nothing else says how long sequences are
# Fields that no number depends on; they do not travel to the workers.
PROSE = ("name", "description", "source", "clicks", "presets", "published")


@dataclass(frozen=True, kw_only=True)
class SplitNames:
    """Names of folders and of subsets in the ground truth (compared without case), in order of preference."""

    training: tuple[str, ...] = ("train", "training", "val", "validation")
    test: tuple[str, ...] = ("test", "testing", "validation", "val")


@dataclass(frozen=True, kw_only=True)
class VideoCounts:
    """Numbers of training and test videos; 0 where unknown."""

    training: int = hyper(0, "N_train", low=0, high=MOST_VIDEOS)
    test: int = hyper(0, "N_test", low=0, high=MOST_VIDEOS)


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """Numbers of videos of the simulated stand-in."""

    training: int = hyper(200, "N_train", low=2, high=40_000)
    test: int = hyper(210, "N_test", low=2, high=40_000)


@dataclass(frozen=True, kw_only=True)
class PresetChange:
    """What this dataset changes in a method's preset: T `snippets`, sampling, hyperparameters, inference settings."""

    snippets: int | None = hyper(None, "T", low=FEWEST_SNIPPETS, high=MOST_SNIPPETS)
    sampling: SamplingChange | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    inference: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PublishedSystem:
    """Numbers of a published system on this dataset: mAP in percent by tIoU ("0.5" or "0.3:0.7"), with their source.

    A file must give these four. seconds: of annotation per minute of video; None if unknown. selection: of the epoch
    (test, last, holdout, "").
    """

    system: str = ""
    supervision: str = ""
    mAP: dict[str, float] = field(default_factory=dict)
    source: str = ""
    seconds: float | None = hyper(None, "s/min", low=0)
    selection: str = hyper("", "selection", choices=("", "test", "last", "holdout"))


@dataclass(frozen=True, kw_only=True)
class DatasetDefinition:
    """Facts about a dataset that are known before any of its files is read. A file may leave out all of them.

    source: where the data comes from and how to get it; clicks: whose clicks there are and how to get them.
    classes: the only labels that a ground truth may have; () = those of the ground truth. videos: published numbers
    with instances. stand_in: numbers of the simulated stand-in, fewer for large sets. layout, stride, offset (frames)
    and fps: of its features, see docs/datasets.md. channels: of the features that papers use; streams: how many are
    RGB and how many flow, where neither the layout nor a study says it. snippets: T, of
    conversions and of presets that state none. tiou, protocol: how papers score it. presets: by method and preset.
    """

    name: str = field(metadata={"written": False})
    title: str = ""
    description: str = ""
    source: str = ""
    clicks: str = ""
    classes: tuple[str, ...] = ()
    splits: SplitNames = field(default_factory=SplitNames)
    videos: VideoCounts = field(default_factory=VideoCounts)
    stand_in: StandIn = field(default_factory=StandIn)
    layout: str = hyper("auto", "layout", choices=LAYOUTS)
    stride: float | None = hyper(None, "stride", low=0.01, high=10_000)
    offset: float | None = hyper(None, "offset", low=0, high=10_000)
    fps: float | None = hyper(None, "fps", low=0.01, high=1000)
    channels: int | None = hyper(None, "D", low=1, high=10**6)
    streams: tuple[int, ...] = hyper((), "D", low=1, high=10**6)
    snippets: int | None = hyper(None, "T", low=FEWEST_SNIPPETS, high=MOST_SNIPPETS)
    tiou: str = "0.1:0.9:0.1"
    protocol: str = hyper("activitynet", "protocol", choices=PROTOCOLS)
    presets: dict[str, dict[str, PresetChange]] = field(default_factory=dict)
    published: tuple[PublishedSystem, ...] = ()

    @property
    def shown(self) -> str:
        """The dataset's name in text."""
        return self.title or self.name

    def to_json(self) -> dict[str, Any]:
        """What a worker reads of it as JSON values, without defaults."""
        default = asdict(DatasetDefinition(name=""))
        content = {name: value for name, value in asdict(self).items() if name not in PROSE and value != default[name]}
        return dict(json.loads(canonical_json(content)))

    @classmethod
    def from_json(cls, name: str, content: Mapping[str, Any]) -> DatasetDefinition:
        """The definition that `to_json` wrote, with defaults for what it leaves out."""
        values: dict[str, Any] = {key: content[key] for key in {spec.name for spec in fields(cls)} & {*content}}
        values |= {name: tuple(content.get(name, ())) for name in ("classes", "streams")}
        values["splits"] = SplitNames(**{split: tuple(names) for split, names in content.get("splits", {}).items()})
        values["videos"] = VideoCounts(**content.get("videos", {}))
        values["stand_in"] = StandIn(**content.get("stand_in", {}))
        return cls(**{**values, "name": name})
