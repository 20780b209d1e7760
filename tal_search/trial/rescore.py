"""Inference settings scored from the activations a finished fit has kept: nothing is fitted."""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

from tal_search.data.load import load_truths
from tal_search.data.splits import restrict
from tal_search.errors import TalSearchError
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize_many, proposal_key
from tal_search.metrics.average_precision import score
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec, setting_name
from tal_search.types import Annotations, DetectionScores

SAVE_SECONDS = 2.0


def score_settings(spec: TrialSpec, folder: TrialFolder) -> Iterator[None]:
    """Score every wanted setting that the folder lacks; yields now and then, so that the caller may stop.

    What is scored is kept every two seconds and when the generator is closed. Raises TalSearchError where the kept
    activations are gone or damaged.
    """
    fit = folder.result()
    assert fit is not None, "a fit is scored once it is finished"
    missing = folder.missing(spec)
    if not missing:
        return
    train_truth, test_truth = load_truths(spec.dataset)
    test = kept_activations(folder.path, folder.cas.name)
    held = kept_activations(folder.path, folder.holdout_cas.name) if fit.holdout_mAP is not None else None
    missing.sort(key=lambda inference: proposal_key(Inference(**inference)))
    tested = _scores(spec, test, test_truth, missing, "test")
    held_out: Iterator[DetectionScores | None] = repeat(None)
    if held is not None:
        held_out = _scores(spec, held, restrict(train_truth, held.videos), missing, "holdout")
    settings = folder.settings()
    saved_at = time.monotonic()
    try:
        for inference, found, held_found in zip(missing, tested, held_out, strict=False):
            settings[setting_name(inference)] = {
                "inference": inference,
                "mAP": found.mAP,
                "holdout_mAP": held_found and held_found.mAP,
                "detections": found.detections,
            }
            if time.monotonic() - saved_at > SAVE_SECONDS:
                folder.write_settings(settings)
                saved_at = time.monotonic()
            yield None
    finally:
        folder.write_settings(settings)


def _scores(
    spec: TrialSpec, activations: Activations, truth: Annotations, settings: list[dict[str, Any]], subset: str
) -> Iterator[DetectionScores]:
    """Scores of activations at each complete inference setting, under the trial's protocol."""
    protocol = spec.protocol
    wanted = [Inference(**inference) for inference in settings]
    for detections in localize_many(activations, truth.classes, wanted):
        yield score(truth, detections, tuple(protocol["tiou"]), protocol=protocol["evaluation"], subset=subset)


def kept_activations(folder: Path, name: str) -> Activations:
    """The activations that a finished fit left in its folder. Raises TalSearchError where they cannot be read."""
    try:
        return Activations.load(folder / name)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TalSearchError(
            f"{folder / name} cannot be read ({error}), so its settings cannot be scored; "
            f"remove the folder {folder} to have the trial trained again"
        ) from error
