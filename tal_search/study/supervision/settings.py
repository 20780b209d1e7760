"""Settings of the section `supervision` of a study: label budgets, shares of the annotations of the training videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tal_search.fields import hyper
from tal_search.localization.inference import Inference
from tal_search.types import INFERENCE, SUPERVISION


@dataclass(frozen=True, kw_only=True)
class SupervisionSettings:
    """Share of each kind of annotation that a trial gets, 0 to 1. Draws are fixed and nested: a smaller budget is part
    of every greater one. They depend on names only, of the annotator and for `videos` of each video.
    """

    background_clicks: float = hyper(1.0, "background clicks", low=0, high=1, help="share of each annotator's clicks")
    action_clicks: float = hyper(1.0, "action clicks", low=0, high=1, help="share of each annotator's clicks")
    instances: float = hyper(1.0, "instances", low=0, high=1, help="share of the instances; others are not annotated")
    videos: float = hyper(1.0, "videos", low=0, high=1, help="share of the training videos, at least one is kept")

    @property
    def below_one(self) -> dict[str, float]:
        """The budgets that leave something out, by name."""
        shares: dict[str, Any] = vars(self)
        return {name: share for name, share in shares.items() if share < 1}


# Settings that are axes under a prefix, by the name of their section.
GROUPS: dict[str, type] = {
    INFERENCE.removesuffix("."): Inference, SUPERVISION.removesuffix("."): SupervisionSettings,
}  # fmt: skip
