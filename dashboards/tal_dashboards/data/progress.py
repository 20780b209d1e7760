"""Progress of a study: numbers of trials by state, and the estimated remaining time."""

from __future__ import annotations

import pandas as pd

from tal_dashboards.data.study_data import StudyData

LATEST = 20  # finished trials used to estimate the remaining time


def progress(data: StudyData) -> pd.DataFrame:
    """Columns `state` and `trials`; early stopping and cached trials only if there are any."""
    states = data.every["state"]
    counts = {state: int((states == state).sum()) for state in ("done", "running", "failed", "stopped early")}
    cached = int(data.every["cached"].sum())
    rows = {name: count for name, count in counts.items() if count or name != "stopped early"}
    rows |= {"done before (cached)": cached} if cached else {}
    rows |= {} if data.planned is None else {"remaining": max(0, data.planned - sum(counts.values()))}
    return pd.DataFrame({"state": list(rows), "trials": list(rows.values())})


def seconds_left(data: StudyData) -> float | None:
    """Estimate from the pace of the latest trials; None if no trial is running or none has been trained yet."""
    trained = data.every_done[~data.every_done["cached"]].sort_values("ended").tail(LATEST)
    states = data.every["state"]
    if data.planned is None or len(trained) == 0 or not (states == "running").any():
        return None
    left = data.planned - int(states.isin(["done", "failed", "stopped early"]).sum())
    elapsed = (trained["ended"].iloc[-1] - trained["started"].min()).total_seconds()
    return float(max(0, left) * elapsed / len(trained))
