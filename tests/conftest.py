"""Fixtures that every test file may use."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.make_dataset import make_dataset
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tal_dashboards.data.study_data import StudyData
    from tests.support.small_dashboards import Made

# A shell's background job ignores Ctrl-C, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Ray starts its workers at a niceness of 15: beside programs that keep a machine busy they would hardly begin.
os.environ.update(RAY_worker_niceness="0")
# Fits of tests are so small that they lose time to a second thread, all the more beside another test process.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# GNU readline, which pytest imports, gives the programs that it starts a width; they write to pipes, which have none.
os.environ.pop("COLUMNS", None)
os.unsetenv("COLUMNS")
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository; its tests are skipped where it is absent, unless required."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        if os.environ.get("TAL_REQUIRE_SHARED") == "1":
            pytest.fail(f"{folder} is required (TAL_REQUIRE_SHARED=1) and is not there")
        pytest.skip("needs the folder ../shared with real data, which is not part of the repository")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small dataset in BackTAL's layout."""
    return make_dataset(tmp_path / "features")


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A finished study of three axes, one at a time, three repeats a cell."""
    from tests.support.small_dashboards import AXES, make_study

    return make_study(tmp_path_factory.mktemp("runs"), "thumos_single", AXES)


@pytest.fixture(scope="session")
def compared(swept: Made) -> Made:
    """A finished study of cases, in the same runs folder."""
    from tests.support.small_dashboards import CASES, make_study

    return make_study(swept.runs, "thumos_modules", *CASES)


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A finished study of a training axis and an inference axis, with held-out videos, three repeats a cell."""
    from tests.support.small_dashboards import GRID, make_study

    return make_study(tmp_path_factory.mktemp("grid") / "runs", "thumos_single", *GRID)


@pytest.fixture(scope="session")
def small_study(grid: Made) -> StudyData:
    """The same as dashboards read it."""
    return grid.read()


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    """A browser; of one file alone, as Playwright's event loop would stand in the way of other files'."""
    from tests.support.browser import browser
    from tests.support.small_dashboards import chromium

    with browser(chromium()) as found:
        yield found


@pytest.fixture
def backtal(tmp_path: Path) -> Path:
    """The small dataset with videos of 40 s, a second a snippet."""
    return make_dataset(tmp_path / "backtal")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For fits of networks so small that they lose time to a second thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that processes that share the files end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)  # stable: otherwise in the order of the files


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line at the end: how many tests were skipped, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        listed = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"{len(skipped)} tests skipped: {listed}")
