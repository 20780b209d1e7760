"""What supervision costs an annotator, in seconds per minute of video: watching, and a time for each click or instance.

Published for THUMOS14 (BackTAL Fig. 8 and Sec. 4): 45 s for video labels, 48 s with background clicks, 50 s with action
clicks, 53 s with both, 300 s with instances. Four numbers are fitted to four of them: watching is the 45 s, and what a
kind adds, divided by the rate of the released annotations, is the time of one click or instance. Derived from them are
the 53 s, and the cost at any other rate: no one has measured those.
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
    """Seconds per minute of video for watching it and naming its actions, and seconds of each click and instance."""

    watching: float = hyper(45.0, "s/min", low=0, help="with the video labels")
    seconds_per_background_click: float = hyper((48 - 45) / THUMOS14_RATES[BACKGROUND_CLICKS], "s", low=0)
    seconds_per_action_click: float = hyper((50 - 45) / THUMOS14_RATES[ACTION_CLICKS], "s", low=0)
    seconds_per_instance: float = hyper((300 - 45) / THUMOS14_RATES[INSTANCES], "s", low=0, help="start, end and class")


def annotation_seconds(
    supervision: Collection[str], rates: Mapping[str, float] = THUMOS14_RATES, cost: CostModel | None = None
) -> float:
    """Seconds an annotator spends on one minute of video to give this supervision (video labels are always given).

    rates: clicks or instances made per minute of video, by kind; by default those of THUMOS14.
    """
    cost = cost or CostModel()
    seconds_of_one = {
        BACKGROUND_CLICKS: cost.seconds_per_background_click,
        ACTION_CLICKS: cost.seconds_per_action_click,
        INSTANCES: cost.seconds_per_instance,
    }
    return cost.watching + sum(rates[kind] * each for kind, each in seconds_of_one.items() if kind in supervision)
