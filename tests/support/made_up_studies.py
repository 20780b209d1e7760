"""Studies of trials that nobody ran, with axes and scores of a test's choice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tal_dashboards.data.study_data import StudyData


def made_up(study: StudyData, columns: dict[str, Any], scores: Any, **changes: Any) -> StudyData:
    """The study with other axes and other finished trials."""
    trials = pd.DataFrame({**columns, study.score: scores}).assign(state="done", seed=0, annotator="A1", mlflow=None)
    others = ["average", "holdout", "leaky", "parameters", "seconds", *(f"mAP@{tiou:g}" for tiou in study.tiou)]
    trials = trials.assign(annotation_seconds=45.0, **{name: np.nan for name in others if name != study.score})
    trials["key"] = trials["id"] = [f"key{number}" for number in range(len(trials))]
    axes = {axis: axis.upper() for axis in columns}
    centre = {axis: values[0] for axis, values in columns.items()}
    return replace(study, **{"axes": axes, "centre": centre, "plan": "sampler", "trials": trials, **changes})
