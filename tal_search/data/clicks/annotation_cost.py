"""Annotation cost in seconds per minute of video: watching, plus a time for each click or instance.

Published for THUMOS14 (BackTAL Fig. 8 and Sec. 4): 45 s for video labels, 48 s with background clicks, 50 s with action
clicks, 53 s with both, 300 s with instances. The model has four parameters, fitted to the first three and the last:
watching takes 45 s; the time of one click or instance is the increase for its kind divided by its rate in the released
annotations. The 53 s and the cost at any other rate follow from the model; nobody has measured them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tal_search.fields import hyper
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, INSTANCES

# Counts on the 200 validation videos of THUMOS14 (`tal-search clicks stats`), means over the released annotators:
# BackTAL's three of background clicks, SF-Net's four of action clicks.
THUMOS14_MINUTES = 41801.597 / 60
THUMOS14_RATES = {
    BACKGROUND_CLICKS: (2264 + 2323 + 2344) / 3 / THUMOS14_MINUTES,
    ACTION_CLICKS: (2980 + 2919 + 3014 + 2986) / 4 / THUMOS14_MINUTES,
    INSTANCES: 3003 / THUMOS14_MINUTES,
}


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """Seconds per minute of video to watch it and name its actions, and seconds for each click and instance."""

    watching: float = hyper(45.0, "s/min", low=0, help="with the video labels")
    seconds_per_background_click: float = hyper((48 - 45) / THUMOS14_RATES[BACKGROUND_CLICKS], "s", low=0)
    seconds_per_action_click: float = hyper((50 - 45) / THUMOS14_RATES[ACTION_CLICKS], "s", low=0)
    seconds_per_instance: float = hyper((300 - 45) / THUMOS14_RATES[INSTANCES], "s", low=0, help="start, end and class")


def annotation_seconds(
    supervision: Collection[str], rates: Mapping[str, float] = THUMOS14_RATES, cost: CostModel | None = None
) -> float:
    """Seconds that an annotator needs per minute of video for this supervision, which always includes video labels.

    rates: clicks or instances per minute of video, by kind; by default those of THUMOS14.
    """
    cost = cost or CostModel()
    seconds_of_one = {
        BACKGROUND_CLICKS: cost.seconds_per_background_click,
        ACTION_CLICKS: cost.seconds_per_action_click,
        INSTANCES: cost.seconds_per_instance,
    }
    return cost.watching + sum(rates[kind] * each for kind, each in seconds_of_one.items() if kind in supervision)
