"""Inference hyperparameters, which control how class activation sequences become detections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tal_search.data.truth.facts import Facts
from tal_search.fields import hyper

# For instances that cover much of their video, as BackTAL's release sets them for ActivityNet 1.2: the whole video is a
# detection of each class that has a run, and thresholds, margins and suppression split no instance.
LONG_INSTANCES = {
    "attention_proposals": False, "activation_high": 0.15, "outer_margin": 20.0, "score_weight": 0.6, "trim": 0.02,
    "whole_video": 0.6, "nms": 0.7,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Inference hyperparameters: applied to stored class activation sequences, without training.

    Rule thresholds is BackTAL's: runs above each of several thresholds of the class sequence and, with
    attention_proposals, of the attention sequence. Rule basnet is that of BaS-Net's release, which has no attention
    proposals: the class sequence is upsampled by 24 between the starts of snippets, the video score counts as 1 once it
    reaches class_threshold, both sides of the outer region have the same length, and a video whose only class is the
    first one has no detection. Rule mean (SF-Net's) reads class_threshold (as a share of the video's highest score,
    which a class must exceed), score_weight, nms, overlap and actionness_weight, which is not used by other rules; its
    runs do not overlap within a class, so nms removes one only through the second that `overlap: release` adds. Rule
    streams (DGAM's) reads class_threshold, outer_margin, score_weight, nms and, as the only rule, the fields after
    overlap.
    """

    rule: str = hyper(
        "thresholds",
        "rule",
        choices=("thresholds", "mean", "basnet", "streams"),
        help="mean: SF-Net's, runs above a mean; basnet: as BaS-Net's release; streams: DGAM's, of RGB and flow",
    )
    class_threshold: float = hyper(0.25, "τ_cls", low=0, high=1, help="video score a class needs")
    activation_low: float = hyper(0.0, "θ_low", low=0, high=1, help="first threshold on the class sequence")
    activation_high: float = hyper(0.25, "θ_high", above=0, high=1, help="end of the thresholds, exclusive")
    activation_step: float = hyper(0.025, "θ_step", low=0.001, high=1)
    attention_proposals: bool = hyper(
        True, "attention", help="class-agnostic runs of the attention sequence beside those of the class sequence"
    )
    attention_low: float = hyper(0.3, "α_low", low=0, high=1, help="first threshold on the attention sequence")
    attention_high: float = hyper(0.8, "α_high", above=0, high=1, help="end of the thresholds, exclusive")
    attention_step: float = hyper(0.075, "α_step", low=0.001, high=1)
    outer_margin: float = hyper(0.25, "margin", low=0, help="outer region each side, in segment lengths")
    score_weight: float = hyper(0.2, "γ", low=0, help="weight of the video score in a detection's score")
    trim: float = hyper(0.0, "trim", low=0, high=0.49, help="share of a run's length cut off each of its ends")
    whole_video: float = hyper(0.0, "whole", low=0, help="score of the whole video for a class with runs; 0 = left out")
    actionness_weight: float = hyper(2.0, "w_act", low=0, help="weight of the attention sequence under rule mean")
    nms: float = hyper(0.55, "tIoU_NMS", above=0, high=1, help="class-wise non-maximum suppression")
    overlap: str = hyper(
        "plain",
        "overlap",
        choices=("plain", "release"),
        help="release adds 1 s to lengths in NMS and keeps an overlap below the threshold, plain one up to it",
    )
    rgb_share: float = hyper(0.35, "ρ_rgb", low=0, high=1, help="share of RGB where a stream's runs are scored")
    rgb_threshold: float = hyper(0.03, "θ_rgb", low=0, high=1, help="threshold of RGB's runs")
    flow_threshold: float = hyper(0.08, "θ_flow", low=0, high=1, help="threshold of flow's runs")
    smoothing: float = hyper(
        0.0, "σ_seq", low=0, help="snippets; Gaussian over the sequence that is thresholded; 0 = none"
    )
    lone_first_class: str = hyper(
        "kept", "first", choices=("kept", "dropped"),
        help="dropped: a stream that would propose the first class alone proposes nothing, as in the released code",
    )  # fmt: skip


def generic_thresholds(facts: Facts) -> dict[str, Any]:
    """Inference settings of a generic preset for video scores that sum to 1."""
    threshold = {"class_threshold": facts.class_threshold}
    return {**LONG_INSTANCES, **threshold} if facts.long_instances else threshold
