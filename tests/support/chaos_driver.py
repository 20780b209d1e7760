"""A driver for `test_chaos.py` to kill: a real study, plan and record, with trials that count instead of training.

python tests/support/chaos_driver.py RUNS ACKNOWLEDGED STUDY OVERRIDE ...

Each result that the driver acknowledges, after the record has it, is appended to the file ACKNOWLEDGED. Trials note
every epoch in their folder, and keep a checkpoint every `CHECKPOINT_EPOCHS`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Generator

from tal_search.execution.driver import run_study
from tal_search.files.atomic import write_json
from tal_search.plan.plan import resolve
from tal_search.proposers.events import Event, Finished, Started
from tal_search.study import load_study
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialResult, TrialSpec, setting_name
from tests.support.paths import STUDIES

CHECKPOINT_EPOCHS = 2
EPOCH_SECONDS = 0.02


def note(folder: TrialFolder, line: str) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    with (folder.path / "history").open("a") as file:
        file.write(line + "\n")


def counting(spec: TrialSpec, folder: TrialFolder) -> Generator[EpochReport, None, None]:
    saved = folder.path / "count.json"
    done = json.loads(saved.read_text())["epoch"] if saved.exists() else 0
    epochs, tiou = spec.hyperparameters["epochs"], tuple(spec.protocol["tiou"])
    quality = (spec.seed + spec.hyperparameters["lambda_sep"]) / 100
    values = tuple(quality for _ in tiou)
    folder.write_spec(spec)
    for epoch in range(done + 1, epochs + 1):
        time.sleep(EPOCH_SECONDS)
        note(folder, f"epoch {epoch}")
        if epoch % CHECKPOINT_EPOCHS == 0:
            write_json(saved, {"epoch": epoch})
        scores = {"holdout/mAP/0.5": quality * epoch / epochs}
        losses = {"total": 1 / epoch}
        yield EpochReport(epoch=epoch, epochs=epochs, seconds=EPOCH_SECONDS, losses=losses, scores=scores)
    folder.write_result(
        TrialResult(
            key=spec.key, selected_epoch=epochs, tiou=tiou, mAP=values, holdout_mAP=values, best_on_test_epoch=None,
            best_on_test_mAP=None, detections=1, parameters=1, seconds=epochs * EPOCH_SECONDS,
        )
    )  # fmt: skip
    folder.write_settings(
        {
            setting_name(setting): {"inference": setting, "mAP": values, "holdout_mAP": values, "detections": 1}
            for setting in spec.settings
        }
    )
    note(folder, "finished")


def main(runs: str, acknowledged: str, study: str, *overrides: str) -> int:
    plan = resolve(load_study(study, [f"runs={runs}", "tracking.mlflow=false", *overrides], STUDIES))
    started: set[str] = set()
    handle = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def acknowledge(event: Event) -> None:
        if isinstance(event, Started):
            started.add(event.spec.key)
        elif isinstance(event, Finished) and event.spec.key in started:
            os.write(handle, f"{event.spec.key}\n".encode())

    outcome = run_study(plan, on_event=acknowledge, trial=counting)
    sys.stdout.write(json.dumps({"finished": sorted(outcome.finished), "failed": outcome.failed}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
