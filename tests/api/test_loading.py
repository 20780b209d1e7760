"""`load` reads a study without torch, and without Dash."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.paths import ROOT
from tests.support.small_dashboards import Made

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dashboards'}"}


READ = """
import json, sys
import tal_search
light = {"numpy", "pandas", "torch"} & {*sys.modules}
assert "load" in dir(tal_search)
sys.modules["dash"] = None  # as where it is not installed
study = tal_search.load("thumos_single", sys.argv[1])
shown = [study._repr_html_(), study.ranking, study.cells, study.curves, study.table("h"), study.next]
trial = study.trial(study.trials["key"][0])
shown += [trial.detections, trial.activations, trial.scores, trial.epochs, trial.settings]
heavy = {"torch", "ray", "mlflow", "optuna", "plotly", "numba"} & {*sys.modules}
try:
    study.figure()
except tal_search.errors.InputError as error:
    print(json.dumps([sorted(light), sorted(heavy), str(error)]))
"""


def test_a_study_is_read_without_torch_and_without_dash(swept: Made) -> None:
    command = [sys.executable, "-c", READ, str(swept.runs)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout
    assert json.loads(said) == [[], [], "dash is not installed; run: pip install 'tal-search[dashboards]'"]
