"""`run_study`: failed trials, problems of the settings, and interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

import tal_search
from tal_search.errors import InputError
from tests.support.paths import ROOT
from tests.support.small_dashboards import SMALL
from tests.support.waiting import DEADLINE, wait_for

ONE_FIT = [*SMALL, "search.repeats.seeds=[0]"]


ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dashboards'}"}


INTERRUPTED = """
import sys
import tal_search
settings = sys.argv[2:]
try:
    tal_search.run_study("thumos_single", settings, runs=sys.argv[1])
except KeyboardInterrupt as interrupt:
    print("alive:", interrupt)
study = tal_search.load("thumos_single", sys.argv[1])
print(sorted(study.trials["state"]))
study = tal_search.run_study("thumos_single", settings, runs=sys.argv[1], progress=False)
print(sorted(study.trials["state"]))
"""


def test_a_study_is_run_and_a_failed_trial_is_a_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = [*ONE_FIT, "search.axes={learning_rate: [1e30]}"]
    with pytest.warns(RuntimeWarning, match=r"failed \(learning_rate=1e\+30, seed 0, annotator A1\): diverged"):
        found = tal_search.run_study("thumos_single", settings, runs=tmp_path)
    assert capfd.readouterr().err.splitlines()[-1] == "2 of 2 fits, 1 failed"
    assert dict(found.trials["state"].value_counts()) == {"done": 1, "failed": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = tal_search.run_study("thumos_single", [*ONE_FIT, "search.axes={learning_rate: [0.005]}"], runs=tmp_path)
    assert (again.centre or {})["mean"] == (found.centre or {})["mean"]
    assert again.cells["n"].sum() == 1


def test_all_that_is_wrong_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        tal_search.run_study("thumos_single", ["hyperparameters.epoch=3", "search.axes.kernel_size=[2]"], runs=tmp_path)
    assert len(caught.value.problems) == 2
    assert not list(tmp_path.iterdir())


def test_an_interrupted_study_goes_on_in_the_same_process(tmp_path: Path) -> None:
    """A second interrupt ends the command; in a notebook the kernel and its variables stay."""
    settings = [*ONE_FIT, "search.axes={inference.nms: [0.3]}", "hyperparameters.epochs=30"]
    settings += ["resources.checkpoint_every_seconds=0", "protocol.evaluate_every=30"]
    command = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(tmp_path), *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        wait_for(lambda: list(tmp_path.glob("trials/*/progress-*")), process)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    alive, before, after = out.splitlines()
    assert alive.startswith("alive: interrupted; the same call continues; tal_search.load('thumos_single'")
    assert before == "['running']"
    assert after == "['done', 'done']"
