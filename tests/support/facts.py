"""Facts of made-up training splits."""

from __future__ import annotations

from tal_search.data.truth.facts import Facts

SMALL = Facts(
    videos=21, classes=7, classes_per_video=7, shortest_seconds=0.9, median_seconds=1.8, shortest_share=0.013,
    median_share=0.028, stretch=1.5, channels=64,
)  # fmt: skip
