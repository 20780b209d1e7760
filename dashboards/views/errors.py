"""View 7: what goes wrong in the detections of one fit, and which instances it misses."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from dashboards.data import Selection, StudyData
from tal_search.metrics.error_profile import ERRORS, KINDS, ErrorProfile, error_profile

TITLE = "Errors"
MEANINGS = {"length": "s", "coverage": "share of the video", "instances": "instances in the video"}


class ErrorsInfo(NamedTuple):
    """profile: of the test detections at tIoU .5 (or the first threshold evaluated), as `evaluate` gives it."""

    key: str
    profile: ErrorProfile


def info(data: StudyData, selection: Selection) -> ErrorsInfo | None:
    """Selected by `trial` (the key of a fit); None where no finished fit keeps detections."""
    done = data.done
    wanted = [selection.get("trial", ""), *done.loc[data.is_centre(done), "key"].head(1), *done["key"]]
    known = set(done["key"])
    key = next((key for key in dict.fromkeys(wanted) if key in known and data.folder(key).detections.exists()), None)
    if key is None:
        return None
    protocol = data.spec(key).protocol["evaluation"]
    profile = error_profile(data.truth(key), data.detections(key), subset="test", protocol=protocol)
    return ErrorsInfo(key, profile)


def breakdown(profile: ErrorProfile) -> pd.DataFrame:
    """DETAD's columns: of the n-th G best detections (`times` n), the share of each kind in percent and their count."""
    rows, before = [], dict.fromkeys(KINDS, 0)
    for top in profile.top:
        here = {kind: top.counts[kind] - before[kind] for kind in KINDS}
        total = sum(here.values())
        rows.append(
            {"times": top.times, "detections": total}
            | {kind: 100 * here[kind] / total if total else 0.0 for kind in KINDS}
        )
        before = top.counts
    return pd.DataFrame(rows)


def gains(profile: ErrorProfile) -> pd.DataFrame:
    """What mAP gains (points) where all detections of one kind are removed, and how many they are."""
    rows = [(kind, 100 * profile.gain[kind], profile.counts[kind]) for kind in ERRORS]
    return pd.DataFrame(rows, columns=["error", "gain", "detections"])


def instances(profile: ErrorProfile) -> pd.DataFrame:
    """One row a bucket: `characteristic`, `bucket`, its limits, `instances`, `missed`, both scores in percent."""
    rows = [
        {
            "characteristic": name,
            "bucket": bucket.name,
            "above": bucket.low,
            "at most": bucket.high,
            "instances": bucket.instances,
            "missed": bucket.missed,
            "missed share": None if bucket.missed_share is None else 100 * bucket.missed_share,
            "normalized mAP": None if bucket.normalized_mAP is None else 100 * bucket.normalized_mAP,
        }
        for name, buckets in profile.buckets.items()
        for bucket in buckets
    ]
    return pd.DataFrame(rows).astype({"missed share": float, "normalized mAP": float})


def tables(info: ErrorsInfo | None) -> dict[str, pd.DataFrame]:
    if info is None:
        return {}
    shown = breakdown(info.profile), gains(info.profile), instances(info.profile)
    return dict(zip(("false positives", "gain from removing errors", "instances"), shown, strict=True))
