"""What supervision costs an annotator, in seconds per minute of video.

The figures are the published ones (BackTAL Fig. 8 and Sec. 4, for THUMOS14); other rates of clicks than that of the
published annotators are not modelled here.
"""

from __future__ import annotations

from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, INSTANCES, VIDEO_LABELS

__all__ = ["ACTION_CLICKS", "BACKGROUND_CLICKS", "INSTANCES", "VIDEO_LABELS", "annotation_seconds"]

SECONDS_PER_MINUTE = {
    frozenset({VIDEO_LABELS}): 45.0,
    frozenset({VIDEO_LABELS, BACKGROUND_CLICKS}): 48.0,
    frozenset({VIDEO_LABELS, ACTION_CLICKS}): 50.0,
    frozenset({VIDEO_LABELS, ACTION_CLICKS, BACKGROUND_CLICKS}): 53.0,
    frozenset({VIDEO_LABELS, INSTANCES}): 300.0,
}


def annotation_seconds(supervision: tuple[str, ...], clicks_fraction: float = 1.0) -> float:
    """Seconds an annotator spends on one minute of video to give this supervision (video labels are always given).

    clicks_fraction: share of the background clicks that is made; the rest of their time is not spent.
    """
    given = frozenset({VIDEO_LABELS, *supervision})
    without = SECONDS_PER_MINUTE[given - {BACKGROUND_CLICKS}]
    return without + clicks_fraction * (SECONDS_PER_MINUTE[given] - without)
