"""The dataset of `make_own`, whose videos have 71 to 147 snippets, sampled from its stored snippets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tal_search.data.clicks.drawn_clicks import Clickers, with_drawn_clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.timing import Timing
from tal_search.data.find import find
from tal_search.data.sampling.settings import Sampling, SplitSampling
from tal_search.data.simulation.videos import Simulation
from tests.support.own_dataset import FPS, STRIDE, WINDOW, make_own

SNIPPETS = 40  # T
NATIVE = SplitSampling(kind="native")
TRAINING = {
    "rescale": SplitSampling(),
    "uniform": SplitSampling(kind="uniform"),
    "random_perturbed": SplitSampling(kind="random_perturbed"),
    "random": SplitSampling(kind="random"),
    "crop": SplitSampling(kind="crop", lengths=(20, 90)),
    "native": SplitSampling(kind="native", most=100),
}


def native_spec(root: Path, training: SplitSampling = NATIVE, test: SplitSampling = NATIVE) -> DatasetSpec:
    """The dataset, made where it is missing, with two drawn annotators S1 and S2 of both kinds of clicks."""
    if not root.exists():
        make_own(root)
    timing: Any = Timing(stride=STRIDE, offset=WINDOW / 2, fps=FPS)
    spec = find("moves", "features", root, None, None, SNIPPETS, Simulation(), "actionformer", timing)
    spec = with_drawn_clicks(spec, Clickers(background="gaussian", action="uniform", annotators=2))
    return replace(spec, sampling=Sampling(training=training, test=test).to_json())
