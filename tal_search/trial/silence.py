"""Why a finished trial has no detections, or none of some classes: measured from its activations, labels and losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import TalSearchError
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.no_detections import class_scores, why_silent
from tal_search.trial.trial_types import EpochReport
from tal_search.types import Annotations, Detections

MOST_NAMED = 3  # classes


def silence(
    truth: Annotations,
    detections: Detections,
    activations: Activations | None,
    inference: Inference,
    labels_NC: NDArray[np.floating] | None = None,
) -> str:
    """Why all videos, or all of some classes, have no detection, in words without a full stop; "" if none is missing.

    truth: instances of the videos that were localized. activations: None for methods that localize without them.
    labels_NC: of the training videos, if known; a class without any is named.
    """
    if not len(detections.score):
        why = "" if activations is None else f": {why_silent(activations, truth.classes, inference)}"
        return f"no detections{why}"
    found = {detections.classes[label] for label in np.unique(detections.label).tolist()}
    present = np.unique(truth.label).tolist()
    missing = [label for label in present if truth.classes[label] not in found]
    if not missing:
        return ""
    score_NC = None if activations is None else class_scores(activations, inference)
    named = [_described(label, truth.classes[label], score_NC, labels_NC) for label in missing[:MOST_NAMED]]
    named += [f"and {len(missing) - MOST_NAMED} more"] if len(missing) > MOST_NAMED else []
    words = f"no detection of {len(missing)} of {len(present)} classes: {', '.join(named)}"
    if score_NC is None:
        return words
    level_NC = score_NC
    threshold = f"inference.class_threshold={inference.class_threshold:g}"
    if inference.rule == "mean":
        level_NC = score_NC / np.maximum(score_NC.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        threshold += " times the highest score of a video"
    reached = int((level_NC[:, missing].max(axis=0) >= inference.class_threshold).sum())
    if not reached:
        return f"{words}; {'it does' if len(missing) == 1 else 'they do'} not reach {threshold}"
    which = "it reaches" if len(missing) == 1 else f"{reached} of them reach{'es' if reached == 1 else ''}"
    return f"{words}; {which} {threshold}, but no run of {'its' if reached == 1 else 'their'} activations is kept there"


def _described(
    label: int, name: str, score_NC: NDArray[np.floating] | None, labels_NC: NDArray[np.floating] | None
) -> str:
    facts = [] if score_NC is None else [f"highest score {score_NC[:, label].max(initial=0):.3g}"]
    facts += ["no training video"] if labels_NC is not None and not labels_NC[:, label].any() else []
    return f"{name} ({', '.join(facts)})" if facts else name


def about_training(
    reports: Sequence[EpochReport], labels_NC: NDArray[np.floating], hyperparameters: Mapping[str, object]
) -> str:
    """Facts about a training after which nothing is detected: labels that are absent, the learning rate, the loss.

    labels_NC: of the training videos. A loss that is not finite ends a trial before, see `trial/loop.py`.
    """
    parts = []
    unlabelled = int((~labels_NC.any(axis=1)).sum())
    if unlabelled:
        parts.append(f"{unlabelled} of {len(labels_NC)} training videos have no label")
    losses = [report.losses["total"] for report in reports if "total" in report.losses]
    if losses:
        rate = hyperparameters.get("learning_rate")
        with_rate = f"with hyperparameters.learning_rate={rate:g} " if isinstance(rate, int | float) else ""
        fell = "" if losses[-1] < losses[0] else ", which is no less"
        epochs = f"{len(losses)} epoch{'s' if len(losses) > 1 else ''}"
        parts.append(f"{with_rate}the loss went from {losses[0]:.3g} to {losses[-1]:.3g} in {epochs}{fell}")
    return "; ".join(parts)


def require_convergence(broken: int, of: int, what: str, epoch: int, rate: object) -> None:
    """Raise TalSearchError if some are not finite: such a trial fails like one whose loss is not, and scores no 0."""
    if broken:
        raise TalSearchError(
            f"diverged by epoch {max(1, epoch)}: {broken} of {of} {what} that are not finite in half precision; lower "
            f"hyperparameters.learning_rate, now {rate}"
        )
