"""Scores further inference settings from the activations that a finished fit keeps; nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import repeat
from pathlib import Path

from tal_search.data.load import load_truths
from tal_search.data.splits import restrict
from tal_search.errors import TalSearchError
from tal_search.files.checked import Damaged, Unreadable, parsing, set_aside
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize_many, proposal_key
from tal_search.metrics.average_precision import score
from tal_search.trial.final_files import AGAIN
from tal_search.trial.folder import TrialFolder
from tal_search.trial.silence import silence
from tal_search.trial.trial_types import TrialSpec, setting_name
from tal_search.types import Annotations, DetectionScores

SAVE_SECONDS = 2.0


def score_settings(spec: TrialSpec, folder: TrialFolder) -> Iterator[None]:
    """Score every wanted setting that the folder lacks; yields after each, so that the caller can stop.

    Scores are saved every SAVE_SECONDS and when the generator is closed. Raises TalSearchError if the kept activations
    are missing or damaged.
    """
    fit = folder.result()
    assert fit is not None, "a fit is scored once it is finished"
    wanted = {setting_name(setting): Inference(**setting) for setting in folder.missing(spec)}
    if not wanted:
        return
    names = sorted(wanted, key=lambda name: proposal_key(wanted[name]))
    ordered = [wanted[name] for name in names]
    train_truth, test_truth = load_truths(spec.dataset)
    test = kept_activations(folder.path, folder.cas.name)
    held = kept_activations(folder.path, folder.holdout_cas.name) if fit.holdout_mAP is not None else None
    tested = _scores(spec, test, test_truth, ordered, "test")
    held_out: Iterator[tuple[DetectionScores | None, str]] = repeat((None, ""))
    if held is not None:
        held_out = _scores(spec, held, restrict(train_truth, held.videos), ordered, "holdout")
    settings = folder.settings()
    saved_at = time.monotonic()
    try:
        for name, (scores, note), (held_scores, _) in zip(names, tested, held_out, strict=False):
            settings[name] = {
                "inference": asdict(wanted[name]),
                "mAP": scores.mAP,
                "holdout_mAP": None if held_scores is None else held_scores.mAP,
                "detections": scores.detections,
            }
            if note:
                settings[name]["note"] = note
            if time.monotonic() - saved_at > SAVE_SECONDS:
                folder.write_settings(settings)
                saved_at = time.monotonic()
            yield None
    finally:
        folder.write_settings(settings)


def _scores(
    spec: TrialSpec, activations: Activations, truth: Annotations, settings: list[Inference], subset: str
) -> Iterator[tuple[DetectionScores, str]]:
    """At each inference setting, scores under the trial's protocol, and why detections are missing."""
    protocol = spec.protocol
    for inference, detections in zip(settings, localize_many(activations, truth.classes, settings), strict=True):
        scores = score(truth, detections, tuple(protocol["tiou"]), protocol=protocol["evaluation"], subset=subset)
        yield scores, silence(truth, detections, activations, inference)


def kept_activations(folder: Path, name: str) -> Activations:
    """Activations from a finished fit's folder. Raises TalSearchError if they are damaged, and sets them aside."""
    path = folder / name
    try:
        with parsing(TrialFolder(folder).verified(path)):
            return Activations.load(path)
    except Unreadable:
        raise
    except Damaged as error:
        kept = f"it is kept as {set_aside(path).name}, and " if path.exists() else ""
        raise TalSearchError(
            f"{path} cannot be read ({error.reason}), so its settings cannot be scored; {kept}{AGAIN}"
        ) from error
