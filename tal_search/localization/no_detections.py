"""Why localization finds nothing: the condition that no class or no activation meets, with the values measured.

Shapes: N videos, C classes (no background), S streams, T snippets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import normalise
from tal_search.localization.streams import ATTENTION_SHARE, confident_classes
from tal_search.types import Floats


def class_scores(activations: Activations, inference: Inference) -> Floats:
    """The video scores that the rule compares with the class threshold, float64 [N, C]."""
    score_NC: Floats = activations.scores[:, :-1].astype(np.float64)
    if inference.rule == "streams" and activations.stream_scores is not None:
        score_NC = activations.stream_scores.astype(np.float64).max(axis=1)
    return score_NC


def why_silent(activations: Activations, classes: tuple[str, ...], inference: Inference) -> str:
    """The first condition of the rule that nothing meets; to be asked where no video has a detection."""
    score_NC = class_scores(activations, inference)
    broken = int((~np.isfinite(score_NC)).any(axis=1).sum())
    if broken:
        return f"the class scores of {broken} of {len(score_NC)} videos are not finite"
    highest = f"the highest class score of a video is {score_NC.max():.3g}"
    if inference.rule == "streams":
        return _no_stream(activations, inference)
    if inference.rule == "mean":
        if score_NC.max() <= 0:
            return f"{highest}, and a class needs a score above 0"
        share = f"exceeds inference.class_threshold={inference.class_threshold:g} times the highest of its video"
        return f"no class {share} with two snippets in a row above their mean"
    confident_NC = score_NC >= inference.class_threshold
    if not confident_NC.any():
        return f"{highest}, below inference.class_threshold={inference.class_threshold:g}"
    if inference.rule == "basnet" and not confident_NC[:, 1:].any():
        return (
            f"rule basnet drops videos whose only class is the first, {classes[0]}, and no other reaches the threshold"
        )
    return _no_run(activations, inference, confident_NC)


def _no_run(activations: Activations, inference: Inference, confident_NC: NDArray[np.bool_]) -> str:
    """Of the rules that threshold the sequences of a video's classes, some of which reach the class threshold."""
    video, label = np.nonzero(confident_NC)
    reached = f"{len(np.unique(video))} of {len(confident_NC)} videos have a class that reaches the class threshold"
    times, snippet = activations.timeline, np.arange(activations.cas.shape[-1])
    held_PT = np.minimum(snippet, times.length[video, None] - 1)  # padding becomes the last snippet's value
    sequence_PT = activations.cas[video[:, None], label[:, None], held_PT].astype(np.float64)
    if not np.isfinite(sequence_PT).all():
        return f"{reached}, but their activations are not finite"
    peak = float(normalise(sequence_PT).max(initial=0))
    if peak <= 0:
        return f"{reached}, but the activations of these classes are flat or nowhere above 0"
    low, high = inference.activation_low, inference.activation_high
    if low >= high:
        return f"{reached}, but inference.activation_low={low:g} is not below activation_high={high:g}"
    return f"{reached}, but no activation exceeds inference.activation_low={low:g} for long enough"


def _no_stream(activations: Activations, inference: Inference) -> str:
    cas, attention, scores = activations.stream_cas, activations.stream_attention, activations.stream_scores
    if cas is None or attention is None or scores is None:
        raise ValueError("activations of one stream; localization refuses them under rule streams")
    chosen_NSC = confident_classes(scores.astype(np.float64), inference)
    if not chosen_NSC.any():
        return "every stream would propose the first class alone, which inference.lone_first_class drops"
    attention_NSCT = attention.astype(np.float64)[:, :, None]
    level_NSCT = (1 - ATTENTION_SHARE) * attention_NSCT * cas + ATTENTION_SHARE * attention_NSCT**2
    level_S = np.where(chosen_NSC[..., None], level_NSCT, -np.inf).max(axis=(0, 2, 3))
    named = zip(("rgb", "flow"), level_S, (inference.rgb_threshold, inference.flow_threshold), strict=True)
    return "; ".join(
        f"the highest activation of {name} is {level:.3g}, not above inference.{name}_threshold={threshold:g}"
        for name, level, threshold in named
    )
