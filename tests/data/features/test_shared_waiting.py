"""Waiting for another process that reads the features: progress of a trial as long as that process makes some."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from tal_search.data.features import shared
from tal_search.data.features.shared import shared_splits
from tal_search.data.load import load
from tal_search.files import heartbeat as module
from tal_search.files.heartbeat import FILE, beat, heartbeat, read_heartbeat
from tal_search.types import BACKGROUND_CLICKS
from tests.support.make_dataset import found
from tests.support.waiting import DEADLINE, wait_for


def test_a_process_that_waits_beats_with_the_one_that_reads(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.02)
    monkeypatch.setattr(shared, "LOCK_POLL_SECONDS", 0.02)
    dataset = load(found(root), "A1", (BACKGROUND_CLICKS,))
    place, lock = tmp_path / "place", tmp_path / "place.lock"
    trial = tmp_path / "trial"
    trial.mkdir()
    made: list[float] = []

    def make(_: Path | None) -> shared.Splits:
        os.utime(lock, (0, 0))
        beat("reading a video")
        wait_for(lambda: lock.stat().st_mtime > 0)
        made.append(lock.stat().st_mtime)
        return dataset.train, dataset.test

    with lock.open("a") as holder, heartbeat(trial, ""):
        fcntl.flock(holder.fileno(), fcntl.LOCK_EX)
        waiter = threading.Thread(target=shared_splits, args=(place, make, []))
        waiter.start()

        def doing() -> str:
            found = read_heartbeat((trial / FILE).read_bytes())
            return "" if found is None else found.doing

        wait_for(lambda: (trial / FILE).exists() and doing() == "waiting for the process that reads the features")
        time.sleep(0.2)
        before = (trial / FILE).stat().st_mtime_ns
        time.sleep(0.3)
        assert (trial / FILE).stat().st_mtime_ns == before, "a holder that stands still is no progress"
        os.utime(lock, (1, 1))
        wait_for(lambda: (trial / FILE).stat().st_mtime_ns > before)
        fcntl.flock(holder.fileno(), fcntl.LOCK_UN)
        waiter.join(DEADLINE)
    assert made, "and the one that reads touches the lock for the others"
    assert (place / shared.MANIFEST).exists()
