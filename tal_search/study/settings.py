"""Settings of a study: one frozen dataclass per section of its YAML file, whose keys are the fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tal_search.data.clicks.annotation_cost import CostModel
from tal_search.fields import hyper
from tal_search.study.dataset_settings import DatasetSettings
from tal_search.study.search_settings import LARGEST_SEED, SearchSettings
from tal_search.study.supervision.settings import SupervisionSettings
from tal_search.text.urls import web_link, without_passwords
from tal_search.types import PROTOCOLS

FOLDER = Path("studies")


@dataclass(frozen=True, kw_only=True)
class BudgetSettings:
    """When to stop: after `minutes` of one command, or once the study has `trials` (cells × repeats, of all runs)."""

    minutes: float | None = hyper(None, "min", above=0)
    trials: int | None = hyper(None, "trials", low=1)


@dataclass(frozen=True, kw_only=True)
class ProtocolSettings:
    """How a trial is scored, and which epoch's score is used: the last, or the best on held-out training videos.

    `evaluation: auto` and `tiou: auto` are what papers report on the dataset (activitynet and 0.1:0.9:0.1 on THUMOS14).
    `selection: auto` is holdout if scores choose the next trials (plan: sampler), else last. With holdout, the test
    split is scored once, after the epoch is selected. `holdout_by`: a regular expression on the name of a video whose
    first bracket is the video's group, such as the person it shows; whole groups are then held out, and
    `holdout_fraction` is the share of the groups.
    """

    evaluation: str = hyper("auto", "protocol", choices=("auto", *PROTOCOLS))
    tiou: str = "auto"
    selection: Literal["auto", "last", "holdout"] = "auto"
    holdout_fraction: float = hyper(0.2, "holdout", above=0, high=0.9, help="share of the training videos held out")
    holdout_seed: int = hyper(0, "seed", low=0, high=LARGEST_SEED)
    holdout_by: str | None = None
    evaluate_every: int = hyper(5, "epochs", low=1, help="epochs between two evaluations")


@dataclass(frozen=True, kw_only=True)
class ResourceSettings:
    """Where trials run. Of these settings only `precision` is part of a trial's key.

    `trials_per_device: auto` measures how many concurrent trials a GPU (or a machine without one) runs fastest.
    """

    backend: Literal["ray", "inline"] = "ray"
    cpus_per_trial: float = hyper(1.0, "CPU", above=0)
    gpus_per_trial: float = hyper(0.0, "GPU", low=0)
    memory_per_trial: float | None = hyper(None, "GiB", above=0, help="a trial that needs more fails; None = no limit")
    trials_per_device: Literal["auto"] | None = None
    concurrent_trials: int | None = hyper(None, "trials", low=1, help="None = as many as fit")
    retries: int = hyper(3, "deaths", low=0, help="times a trial is restarted after its worker died")
    stall_minutes: float | None = hyper(
        30.0, "min", low=0, help="without progress, after which a worker is restarted; 0 or None = never"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bf16"] = "float32"
    checkpoint_every_seconds: float = hyper(20.0, "s", low=0)


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """MLflow, which holds a copy of the record. `uri`, `artifacts`: None = `mlflow.db` and `mlartifacts/` in `runs`.

    `dashboard`: the address of `tal-search dashboard`, to which MLflow's runs then link.
    """

    mlflow: bool = True
    uri: str | None = None
    artifacts: str | None = None
    dashboard: str | None = None

    @property
    def server_page(self) -> str:
        """The address of the MLflow server without user and password; empty if `uri` is a database."""
        return _page(self.uri)

    @property
    def dashboard_page(self) -> str:
        """The address of the dashboards without user and password; empty if unknown."""
        return _page(self.dashboard)


def _page(address: str | None) -> str:
    return web_link(without_passwords(address or "")).rstrip("/")


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """`address` of a Ray cluster to join ("auto", HOST:PORT); None = a local Ray, started for the study."""

    address: str | None = None


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """`fork`: a new name and record for the study; trials with the same key are not trained again."""

    fork: str | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study: the author's settings, with defaults for the rest.

    `record`: SQLAlchemy URL of the record's database (None = a file in the study's folder); `accept_code_change`: use
    finished trials of other code versions; `cost`: of annotation. `hyperparameters` and `inference` hold only what the
    author set; presets and defaults complete them when the study is resolved. `places`: where each key was written,
    for problems that appear only once the data is found; `overrides`: the command line, study=NAME first, from which
    proposed commands are made.
    """

    name: str = field(metadata={"written": False})
    description: str = ""
    method: str = "backtal"
    preset: str = "auto"
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    inference: dict[str, Any] = field(default_factory=dict)
    supervision: SupervisionSettings = field(default_factory=SupervisionSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    protocol: ProtocolSettings = field(default_factory=ProtocolSettings)
    resources: ResourceSettings = field(default_factory=ResourceSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    cost: CostModel = field(default_factory=CostModel)
    ray: RaySettings = field(default_factory=RaySettings)
    study: StudySettings = field(default_factory=StudySettings)
    record: str | None = None
    accept_code_change: bool = False
    runs: Path = Path("runs")
    places: dict[str, str] = field(default_factory=dict, compare=False, repr=False, metadata={"written": False})
    overrides: tuple[str, ...] = field(default=(), compare=False, repr=False, metadata={"written": False})

    @property
    def selection(self) -> str:
        """How a fit's epoch is selected; `auto` is by held-out videos if a sampler needs scores, else the last."""
        by_scores = "holdout" if self.search.plan == "sampler" else "last"
        return by_scores if self.protocol.selection == "auto" else self.protocol.selection

    def place(self, key: str) -> str:
        """Where `key` ("search.repeats.annotators") or the nearest section around it was written; else the file."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return self.places.get(key, f"{FOLDER.name}/{self.name}.yaml")
