"""A full disk, simulated by a file system of two megabytes in memory: writes wait, and nothing is truncated."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest

from tal_search.errors import InputError
from tal_search.execution.inline_backend import InlineBackend
from tal_search.files.atomic import write_atomically
from tal_search.files.disk import DiskWatch, require_writable, retry_when_full, size_text, waiting
from tal_search.proposers.events import Event, Finished, Reported
from tal_search.trial.checkpoint import load_progress, save_progress
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.small_disk import fill, small_disk
from tests.support.small_trials import make_result, make_spec
from tests.support.waiting import DEADLINE, wait_for

CHECKPOINT = 300_000  # bytes


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A runs folder on a file system of 2 MiB."""
    with small_disk(tmp_path / "small") as folder:
        yield folder


class Once:
    """Proposes one trial."""

    def __init__(self, spec: TrialSpec) -> None:
        self._specs = [spec]

    def ask(self) -> TrialSpec | None:
        return self._specs.pop() if self._specs else None

    def stops(self, spec: TrialSpec) -> bool:
        return False


def saving_trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport]:
    """Four epochs with a checkpoint of 300 kB after each; another process takes the disk's room before the third."""
    for epoch in range(1, 5):
        if epoch == 3:
            fill(folder.path.parents[1], leave=100_000)
        save_progress(folder.path, epoch, {"epoch": epoch, "weights": "w" * CHECKPOINT})
        yield EpochReport(epoch=epoch, epochs=4, seconds=0.0, losses={}, scores={})
    folder.write_result(make_result(spec))


def test_a_study_pauses_says_so_and_goes_on_once_there_is_room(small: Path) -> None:
    spec = make_spec()
    folder, said, seen = TrialFolder.of(small, spec.key), list[str](), list[Event]()
    sizes: dict[str, int] = {}
    loaded: list[tuple[int, list[str]]] = []

    def free_the_disk() -> None:
        wait_for(lambda: said)
        sizes.update({path.name.split(".")[0]: path.stat().st_size for path in folder.path.glob("progress-*")})
        state, notes = load_progress(folder.path)
        loaded.append((state["epoch"] if state else 0, notes))
        (small / "ballast").unlink()

    other = threading.Thread(target=free_the_disk)
    with DiskWatch(small, said.append, every_seconds=0.05) as watch:
        other.start()
        InlineBackend(runs=small, trial=saving_trial).run(Once(spec), seen.append)  # type: ignore[arg-type]
        other.join()
        watch.poll()
    assert loaded == [(2, [])], "while it waits the last checkpoint is whole"
    assert set(sizes) == {"progress-1", "progress-2"}
    assert min(sizes.values()) > CHECKPOINT
    assert [event.report.epoch for event in seen if isinstance(event, Reported)] == [1, 2, 3, 4]
    assert seen[-1] == Finished(spec, make_result(spec))
    assert len(said) == 2, said
    assert said[0].startswith(f"paused: {small} has ")
    assert " KiB free, 29" in said[0], said
    assert said[0].endswith(" KiB are needed; free some space and the study goes on")
    assert said[1].startswith(f"goes on: {small} has ")
    assert not [path for path in small.rglob(".*") if path.is_file()], "nothing temporary is left"


@pytest.mark.parametrize("kind", ["npz", "parquet", "bytes"])
def test_no_file_is_truncated_whichever_library_writes_it(kind: str, small: Path) -> None:
    import pandas

    array = np.random.default_rng(0).random(40_000)
    write = {
        "npz": lambda stream: np.savez(stream, array=array),
        "parquet": lambda stream: pandas.DataFrame({"a": array}).to_parquet(stream),
        "bytes": lambda stream: stream.write(array.tobytes()),
    }[kind]
    path = small / "trials" / "key" / "file"
    write_atomically(path, lambda stream: stream.write(b"old"))
    ballast = fill(small, leave=50_000)
    writer = threading.Thread(target=write_atomically, args=(path, write))
    writer.start()
    wait_for(lambda: waiting(small))
    (marker,) = small.rglob(".waits-for-*")
    assert marker.parent == small, "not among thousands of trials"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"], "the temporary file gives its room back"
    assert min(waiting(small)) > array.nbytes * 0.8
    ballast.unlink()
    writer.join(DEADLINE)
    assert not writer.is_alive()
    assert path.stat().st_size > array.nbytes * 0.8
    assert not waiting(small)


WRITER = """
import sys
from pathlib import Path
from tal_search.files.atomic import write_atomically
try:
    write_atomically(Path(sys.argv[1]), lambda stream: stream.write(bytes(500_000)))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_the_wait_and_leaves_nothing(small: Path) -> None:
    (small / "trials").mkdir()
    fill(small, leave=100_000)
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(small / "trials" / "key" / "file")])
    wait_for(lambda: waiting(small) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130
    assert {path.name for path in small.rglob("*")} == {"trials", "ballast", "key"}


def test_a_killed_waiter_is_not_waited_for_for_ever(small: Path) -> None:
    marker = small / ".waits-for-500-bytes-1-1"
    marker.touch()
    assert waiting(small) == [500]
    os.utime(marker, (0, 0))
    assert waiting(small) == []


def test_a_pause_is_reported_once_the_free_space_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Path) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    said = list[str]()
    watch = DiskWatch(tmp_path, said.append)
    (tmp_path / ".waits-for-500-bytes-1-1").touch()
    with monkeypatch.context() as broken:
        broken.setattr(os, "statvfs", fails)
        watch.poll()
    assert said == []
    watch.poll()
    assert said[0].startswith("paused: ")


@pytest.mark.parametrize("logged", [True, False], ids=["with a log", "no log yet"])
def test_a_record_on_the_full_disk_waits_too(logged: bool, small: Path) -> None:
    (small / "study").mkdir()
    url = f"sqlite:///{small / 'study' / 'record.db'}"
    storage = optuna.storages.RDBStorage(url)
    try:
        study = optuna.create_study(study_name="s", storage=storage)
        with sqlite3.connect(small / "study" / "record.db") as plain:
            plain.execute("PRAGMA journal_mode=WAL")
        plain.close()
        trial = study.ask()
        if logged:
            storage.set_trial_user_attr(trial._trial_id, "first", 1)
        ballast = fill(small)
        text = "x" * 2000  # Optuna keeps at most 2048 characters, and 40 of them do not fit the pages there are
        written: list[int] = []

        def write() -> None:
            for number in range(40):
                retry_when_full(
                    lambda number=number: storage.set_trial_user_attr(trial._trial_id, f"note {number}", text),
                    small / "study",
                )
                written.append(number)

        writer = threading.Thread(target=write)
        writer.start()
        wait_for(lambda: waiting(small) or not writer.is_alive())
        assert len(written) < 40
        ballast.unlink()
        writer.join(DEADLINE)
        assert written == list(range(40))
        assert storage.get_trial(trial._trial_id).user_attrs == {
            **({"first": 1} if logged else {}),
            **{f"note {number}": text for number in range(40)},
        }
        with sqlite3.connect(small / "study" / "record.db") as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        plain.close()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_a_read_only_runs_folder_is_refused(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "runs")
    assert list((tmp_path / "new" / "runs").iterdir()) == []
    with small_disk(tmp_path / "read_only", "size=1m,ro") as folder:
        with pytest.raises(InputError, match=r"runs cannot be written \(Read-only file system\); make it writable or"):
            require_writable(folder / "runs")
        with pytest.raises(InputError, match="read_only cannot be written"):
            require_writable(folder)


def test_sizes_for_people() -> None:
    assert [size_text(n) for n in (0, 512, 12 * 1024, 3.25 * 2**30, 2**41)] == [
        "0 B", "512 B", "12.0 KiB", "3.2 GiB", "2.0 TiB",
    ]  # fmt: skip
