"""Trials small enough for tests of backends: real generators that write real files, but count instead of training."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.files.atomic import write_json
from tal_search.proposers.events import Wait
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec, setting_name
from tal_search.types import BACKGROUND_CLICKS, VIDEO_LABELS

TIOU = (0.3, 0.5, 0.7)
WEIGHTS = {"frame_weight": 1.0, "lambda_sep": 1.0, "beta_aff": 0.8}  # they decide which clicks BackTAL reads


class Listed:
    """A proposer of given specs (and waits between them) that stops those whose behaviour says `stopped`."""

    def __init__(self, specs: Iterable[TrialSpec | Wait]) -> None:
        self._specs = iter(specs)

    def ask(self) -> TrialSpec | Wait | None:
        return next(self._specs, None)

    def stops(self, spec: TrialSpec) -> bool:
        return "stopped" in spec.hyperparameters


def make_spec(
    seed: int = 0, *, cell: dict[str, Any] | None = None, annotator: str = "a", **behaviour: Any
) -> TrialSpec:
    """`behaviour`: epochs, seconds (of an epoch), notes (sentences for the user, before the first epoch), stopped
    (`Listed` stops it), endless (the number of an epoch that does not end), and for the second epoch raises (text),
    deaths (times the process kills itself), holds (bytes of memory), stalls (how, see `_stall`) and times (it stalls).
    """
    dataset = DatasetSpec(
        name="thumos14",
        source="simulated",
        root="",
        ground_truth="",
        clicks={BACKGROUND_CLICKS: {"a": "", "b": ""}},
        click_fingerprints={BACKGROUND_CLICKS: {"a": "1", "b": "2"}},
        snippets=10,
        simulation={},
        fingerprint="f",
        description="a test's own",
    )
    return TrialSpec(
        method="backtal",
        code_version="1",
        hyperparameters={"epochs": 3, "seconds": 0.0, **WEIGHTS, **(cell or {}), **behaviour},
        inference={"nms": 0.5},
        protocol={"evaluation": "activitynet", "selection": "last", "tiou": list(TIOU)},
        supervision=(VIDEO_LABELS, BACKGROUND_CLICKS),
        dataset=dataset,
        annotator=annotator,
        seed=seed,
        precision="fp32",
        cell=cell or {},
    )


def counting_trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport | str]:
    """Counts epochs from where its folder left off, notes each in `history`, and saves its count when closed.

    The inference settings that the folder lacks are scored afterwards, see `setting_result`.
    """
    if folder.result() is None:
        yield from _counted(spec, folder)
    for inference in folder.missing(spec):
        fit = folder.result()
        assert fit is not None
        scored = setting_result(fit, inference)
        content = {"mAP": scored.mAP, "holdout_mAP": scored.holdout_mAP, "detections": scored.detections}
        folder.write_settings({**folder.settings(), setting_name(inference): {"inference": inference, **content}})
        note(folder, f"setting nms={inference['nms']:g}")


def _counted(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport | str]:
    behaviour, saved = spec.hyperparameters, folder.path / "count.json"
    done = json.loads(saved.read_text())["epoch"] if saved.exists() else 0
    try:
        yield from behaviour.get("notes", ())
        for epoch in range(done + 1, behaviour["epochs"] + 1):
            time.sleep(behaviour["seconds"])
            if epoch == behaviour.get("endless"):
                note(folder, "endless")
                time.sleep(3600)
            if epoch == 2 and len(history(folder, "stall")) < behaviour.get("times", "stalls" in behaviour):
                write_json(saved, {"epoch": 1})
                note(folder, "stall")
                _stall(behaviour["stalls"])
            if epoch == 2 and "raises" in behaviour:
                raise ValueError(behaviour["raises"])
            note(folder, f"epoch {epoch}")
            if epoch == 2:
                held = [b"\1" * 2**20 for _ in range(behaviour.get("holds", 0) // 2**20)]  # touched, so really there
                del held
            report = EpochReport(
                epoch=epoch,
                epochs=behaviour["epochs"],
                seconds=behaviour["seconds"],
                losses={"total": 1.0 / epoch, "cls": 0.5 / epoch},
                scores={"test/mAP/0.5": epoch / 100, "holdout/mAP/0.5": held_out(spec, epoch)},
            )
            if epoch == 2 and len(history(folder, "death")) < behaviour.get("deaths", 0):
                write_json(saved, {"epoch": 1})
                note(folder, "death")
                os.kill(os.getpid(), signal.SIGKILL)
            done = epoch
            yield report
    except GeneratorExit:
        write_json(saved, {"epoch": done})
        note(folder, "saved")
        raise
    folder.write_result(make_result(spec))
    note(folder, "finished")


def _stall(how: str) -> None:
    """Make no progress for ever: a stopped process, an endless loop, or a read of data that never come."""
    if how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    while how == "loop":
        pass
    if how == "read":
        os.read(os.pipe()[0], 1)


def make_result(spec: TrialSpec) -> TrialResult:
    mAP = tuple((spec.seed + 1) / 100 - tiou / 1000 for tiou in TIOU)
    holdout, epochs = None, spec.hyperparameters["epochs"]
    if spec.protocol["selection"] == "holdout":
        holdout = tuple(held_out(spec, epochs) + (0.5 - tiou) / 10 for tiou in TIOU)
    return TrialResult(
        key=spec.key,
        selected_epoch=spec.hyperparameters["epochs"],
        tiou=TIOU,
        mAP=mAP,
        holdout_mAP=holdout,
        best_on_test_epoch=1,
        best_on_test_mAP=0.5,
        detections=7,
        parameters=1 if holdout is None else spec.hyperparameters.get("kernel_size", 1),
        seconds=0.1,
    )


def held_out(spec: TrialSpec, epoch: int) -> float:
    """mAP on held-out videos: grows with the epochs.

    Where trials are chosen by it, it is best at lambda_sep 1 and beta_aff 0.8, better with a wider kernel, which has
    more `parameters`, and a thousandth more with each seed.
    """
    if spec.protocol["selection"] != "holdout":
        return epoch / 200
    settings = spec.hyperparameters
    best = 0.6 - abs(math.log(settings.get("lambda_sep", 1.0))) / 5 - abs(settings.get("beta_aff", 0.8) - 0.8) / 10
    return max(0.0, best + settings.get("kernel_size", 1) / 100 + spec.seed / 1000) * epoch / settings["epochs"]


def setting_result(fit: TrialResult, inference: dict[str, Any]) -> TrialResult:
    """Every mAP grows with the NMS threshold by a thousandth of it; no epoch was scored at such a setting."""
    mAP, holdout = (
        None if values is None else tuple(value + inference["nms"] / 1000 for value in values)
        for values in (fit.mAP, fit.holdout_mAP)
    )
    assert mAP is not None
    return replace(fit, mAP=mAP, holdout_mAP=holdout, best_on_test_epoch=None, best_on_test_mAP=None)


def note(folder: TrialFolder, line: str) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    with (folder.path / "history").open("a") as file:
        file.write(line + "\n")


def history(folder: TrialFolder, beginning: str = "") -> list[str]:
    """The trial's notes that start with `beginning`, in order, of all its runs."""
    path: Path = folder.path / "history"
    return [line for line in path.read_text().splitlines() if line.startswith(beginning)] if path.exists() else []
