"""A study of methods at label budgets, with runs whose true means a test chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tal_dashboards.data.study_data import StudyData
from tal_search.results.trials import StudyFrame
from tests.support.drawn_runs import drawn, study_of

HOURS = {1: 1.0, 3: 2.0}  # annotation of all videos, by the kernel size that stands for a method


def budgets_of(
    means: Mapping[tuple[int, float], float], *, seeds: int = 4, noise: float = 0.2, seed: int = 0
) -> StudyFrame:
    """means: mAP by method (1 or 3) and share of the videos; (1, 1.0) is the centre and must be there."""
    centre = (1, 1.0)
    keys = [centre, *(key for key in means if key != centre)]
    cells: list[dict[str, Any]] = [{"kernel_size": size, "supervision.videos": share} for size, share in keys]
    runs = drawn(np.random.default_rng(seed), len(cells), seeds, 1, noise=noise)
    runs = replace(runs, value=runs.value - 40 + np.array([[means[key]] for key in keys]))
    study = study_of(runs, cells, "grid")
    sizes, shares = study.trials["kernel_size"], study.trials["supervision.videos"]
    total = [3600 * HOURS[size] * share for size, share in zip(sizes, shares, strict=True)]
    keys_of = [f"{size} {share} {run}" for size, share, run in zip(sizes, shares, study.trials["seed"], strict=True)]
    return replace(study, trials=study.trials.assign(annotation_total=total, key=keys_of))


def read_as(study: StudyFrame, runs: Path) -> StudyData:
    """The study as the dashboards and notebooks read one."""
    return StudyData(
        **{**vars(study), "runs": runs}, description="", data="simulated", simulated=True, preset="simulated",
        scored="", annotators=("A0",), planned=None, version=1,
    )  # fmt: skip
