"""Progress of a study: trials of the study as it ran last, times in this machine's zone, and its driver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tal_search.cli.main import main
from tal_search.plan.cells import Trial
from tal_search.record.driver_lock import lock_study
from tal_search.record.overview import overview
from tal_search.record.record import Record
from tests.support.postgres_server import Server
from tests.support.small_trials import make_result, make_spec

CENTRE = {"lambda_sep": 1.0, "kernel_size": 3, "inference.nms": 0.5}
ABOUT = {"hyperparameters": {"lambda_sep": 1.0, "kernel_size": 3}, "inference": {"nms": 0.5}}
RECORDED: list[dict[str, Any]] = [
    {}, {"lambda_sep": 4.0}, {"kernel_size": 7}, {"inference.nms": 0.3}, {"lambda_sep": 4.0, "kernel_size": 7},
]  # fmt: skip


def write(where: Path | str, folder: Path, *axes: str, trials: int) -> None:
    """A finished trial of each cell in RECORDED; the study as it ran last has these axes and asks for `trials`."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {**ABOUT, "axes": dict.fromkeys(axes, ""), "trials": trials}
    with Record.open(where, folder.name, {}, folder=folder, about=about) as record:
        for seed, changes in enumerate(RECORDED):
            spec = make_spec(seed)
            trial = Trial(cell={**CENTRE, **changes}, spec=spec, inference=spec.inference, annotation_seconds=48.0)
            record.finish(trial, make_result(spec), cached=False)


@pytest.mark.parametrize(
    ("axes", "trials", "done", "state"),
    [
        (("lambda_sep", "kernel_size", "inference.nms"), 5, 5, "finished"),
        (("lambda_sep", "kernel_size"), 4, 4, "finished"),
        (("lambda_sep",), 2, 2, "finished"),
        (("lambda_sep",), 3, 2, "incomplete"),
        ((), 1, 1, "finished"),
    ],
)
def test_cells_of_dropped_axes_and_rescored_settings_are_not_counted(
    axes: tuple[str, ...], trials: int, done: int, state: str, tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "s"
    write(folder / "record.db", folder, *axes, trials=trials)
    found = overview(folder)
    assert (found.done, found.planned, found.state) == (done, trials, state)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Five hours behind UTC."""
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_times_are_those_of_this_machines_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "runs" / "s"
    before = datetime.now(UTC)
    write(folder / "record.db", folder, trials=1)
    changed = overview(folder).changed
    assert changed is not None
    assert before <= changed <= datetime.now(UTC)
    assert changed.utcoffset() == timedelta(hours=-5)
    assert main(["status", f"runs={folder.parent}"]) == 0
    assert f"{changed:%Y-%m-%d %H:%M}" in capsys.readouterr().out


def test_a_record_on_postgresql_knows_its_driver_on_any_machine(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "s"
    monkeypatch.setenv("PGPASSWORD", server.password)
    url = server.new_database()
    write(url, folder, "lambda_sep", trials=2)
    (folder / "record.url").write_text(url + "\n")
    (folder / "driver.lock").write_text('{"host": "another", "pid": 1}')  # left by a driver that was killed there
    assert overview(folder).state == "finished"
    write(url, tmp_path / "runs" / "other", trials=1)
    with lock_study(tmp_path / "elsewhere" / "other", url):
        assert overview(folder).state == "finished"
    with lock_study(tmp_path / "elsewhere" / "s", url):
        assert main(["status", f"runs={folder.parent}"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert ["s", "running", "2/2", "0", "0"] in [line.split()[:5] for line in lines]
    assert overview(folder).state == "finished"
    with server.stopped():
        assert main(["status", f"runs={folder.parent}"]) == 2
        assert f"{folder}: the record cannot be read" in capsys.readouterr().err


def test_an_empty_log_that_a_reader_left_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "s"
    write(folder / "record.db", folder, trials=1)
    (folder / "record.db-wal").touch()
    before = {path: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())}
    assert overview(folder).state == "finished"
    assert {path: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())} == before
