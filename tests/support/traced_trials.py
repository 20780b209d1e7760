"""A program that runs small trials under a tracer and says which of the package's functions ran; not a test itself.

Argument: a folder. Prints JSON, a list of [name of the trial, method, source, [[module, qualified name], …]]. What runs
inside a definition of the boundary is left out. Numba is to be switched off, or its functions cannot be seen.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from tal_search.data.load import LOADED
from tal_search.data.simulation.videos import Simulation
from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.trial.code_version import PACKAGE
from tal_search.trial.code_version.boundary import BOUNDARY
from tal_search.trial.code_version.sources import Package
from tal_search.trial.folder import TrialFolder
from tal_search.trial.run import run_trial
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import NO_ANNOTATOR, clicks_of
from tests.support.make_dataset import found, make_dataset

SETTINGS: dict[str, dict[str, Any]] = {  # under which a method runs all that it can, and is small
    "actionformer": {"width": 8, "levels": 3},
    "asl": {"width": 8, "levels": 3},
    "backtal": {"embedding_dim": 4},
    "basnet": {"frame_weight": 1.0, "action_weight": 1.0, "filter_weight": 1.0},
    "dgam": {"attention_hidden": 8, "latent": 4},
    "representative": {},
    "sfnet": {"lambda_sep": 1.0, "beta_aff": 0.8, "embedding_dim": 4},
}
# Other settings of a method, which run more of it.
MORE = {"backtal": {"variant": "release"}, "dgam": {"variant": "release"}, "sfnet": {"expand_after": 0.01, "epochs": 4}}
THRESHOLDS = [0.1, 0.5]


class Tracer:
    """ran: module and qualified name of each function of the package that was called outside the boundary."""

    def __init__(self) -> None:
        self.ran: set[tuple[str, str]] = set()
        self._names = {str(file): name for name, file in Package(PACKAGE).files().items()}
        self._inside = threading.local()  # how many calls deep each thread is in a definition of the boundary

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event not in ("call", "return"):
            return
        depth = getattr(self._inside, "depth", 0)
        module, name = self._names.get(frame.f_code.co_filename), frame.f_code.co_qualname
        if depth:
            self._inside.depth = depth + (1 if event == "call" else -1)
        elif event == "call" and module is not None:
            parts = name.split(".")
            if parts[0] in BOUNDARY or ".".join(parts[:2]) in BOUNDARY:
                self._inside.depth = 1
            else:
                self.ran.add((module, name))

    @contextmanager
    def tracing(self) -> Iterator[None]:
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


def spec_of(method: str, dataset: Any, **changes: Any) -> TrialSpec:
    found = specification(method)
    settings = {"epochs": 2, "batch_size": 10, "learning_rate": 1e-3, **SETTINGS[method], **changes}
    hyperparameters = found.hyperparameters(**settings)
    supervision = hyperparameters.supervision
    inference = dataclasses.asdict(Inference(class_threshold=0.0))
    others: list[dict[str, Any]] = [{"nms": 0.3}, {"rule": "mean", "actionness_weight": 1.0}]
    others += [{"whole_video": 0.5, "trim": 0.1}]
    others += [{"rule": "streams"}] if found.has_streams else []
    return TrialSpec(
        method=method, code_version="", hyperparameters=dataclasses.asdict(hyperparameters), inference=inference,
        protocol={
            "evaluation": "activitynet", "tiou": THRESHOLDS, "selection": "last", "holdout_fraction": 0.5,
            "holdout_seed": 0, "evaluate_every": 1,
        },
        supervision=supervision, dataset=dataset, annotator="A1" if clicks_of(supervision) else NO_ANNOTATOR,
        seed=0, precision="float32", cell={},
        settings=tuple({**inference, **other} for other in others) if found.has_activations else (),
    )  # fmt: skip


def trials(folder: Path) -> dict[str, TrialSpec]:
    """Every method on simulated data and on files; one with held-out videos; protocols, budgets and files of clicks."""
    simulated = found(None, snippets=12, simulation=Simulation(train_videos=20, test_videos=2, channels=4))
    root = make_dataset(folder / "features", train=6, test=2, channels=4, snippets=16)
    read = found(root, snippets=12)
    specs = {}
    for method in available():
        specs[f"{method} simulated"] = spec_of(method, simulated)
    for method in ("backtal", "dgam"):
        specs[f"{method} features"] = spec_of(method, read)
    for method, changes in MORE.items():
        specs[f"{method} otherwise"] = spec_of(method, simulated, **changes)
    plain = specs["backtal features"]
    strict = {**plain.protocol, "selection": "holdout", "evaluation": "thumos14"}
    specs["holdout"] = dataclasses.replace(plain, protocol=strict)
    few = dataclasses.replace(read, clicks_per_minute=2.0)
    specs["few clicks"] = dataclasses.replace(plain, dataset=few, precision="bf16")
    on_truth = found(None, "simulated", ground_truth=root / "gt_thumos14.json", snippets=12)
    specs["real timeline"] = dataclasses.replace(plain, dataset=on_truth, annotator="uniform")
    timed = dataclasses.replace(read, layout={**read.layout, "stride": 25.0, "offset": 12.5, "fps": 10.0})
    specs["timed"] = dataclasses.replace(plain, dataset=timed)
    return specs


def forget() -> None:
    """Empty every cache of the package, so that the next trial runs what this one did."""
    LOADED.clear()
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{PACKAGE.name}."):
            for value in list(vars(module).values()):
                clear: Callable[[], None] | None = getattr(value, "cache_clear", None)
                if clear is not None and getattr(value, "__module__", "") == name:
                    clear()


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    for name in Package(PACKAGE).files():  # what importing runs is not to be traced
        if not name.endswith("__main__") and not name.endswith(".run"):
            importlib.import_module(name)
    found = []
    for name, spec in trials(folder).items():
        forget()
        tracer, kept = Tracer(), TrialFolder(folder / name)
        with tracer.tracing():
            steps = run_trial(spec, kept, device="cpu")
            next(steps)  # stopped after one epoch, and continued
            steps.close()
            for _ in run_trial(spec, kept, device="cpu"):
                pass
        found.append([name, spec.method, spec.dataset.source, sorted(tracer.ran)])
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
