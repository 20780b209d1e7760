"""A preview refuses what the run would refuse: other settings than those that the study was started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.execution.driver import run_study
from tests.support.folded_study import folded_plan


def test_a_preview_refuses_other_settings_as_the_run_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = folded_plan(tmp_path, "hyperparameters.epochs=1", axes={"lambda_sep": [1.0]})
    run_study(plan)
    monkeypatch.chdir(tmp_path)
    command = ["run", "study=folded", f"runs={plan.study.runs}"]
    assert main([*command, "hyperparameters.epochs=1", "--preview"]) == 0
    capfd.readouterr()
    said = []
    for more in ([], ["--preview"]):
        assert main([*command, "hyperparameters.epochs=2", *more]) == 2
        said.append(capfd.readouterr().err)
    assert "started with other settings (hyperparameters.epochs was 1, is 2); restore them" in said[0].replace(
        "\n", " "
    )
    assert said[0] == said[1]
