"""The backend of a study, and what is refused before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.execution.backends import backend_for, require_backend
from tal_search.execution.inline_backend import InlineBackend
from tal_search.execution.ray_tune.ray_backend import RayBackend
from tal_search.study import ResourceSettings, Study, TrackingSettings
from tal_search.study.settings import RaySettings
from tests.support.small_plans import cell_spec, plan_of, run


def test_a_missing_extra_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plan = plan_of(tmp_path / "runs", [cell_spec()])
    for changes, package in (
        ({"resources": ResourceSettings(backend="ray")}, "ray"),
        ({"tracking": TrackingSettings(mlflow=True)}, "mlflow"),
    ):
        with pytest.raises(InputError, match=rf"{package} is not installed; run: pip install 'tal-search\["):
            run(replace(plan, study=replace(plan.study, **changes)))
    assert not (tmp_path / "runs").exists()


def test_a_study_names_its_backend(tmp_path: Path) -> None:
    study = Study(name="s", runs=tmp_path, tracking=TrackingSettings(mlflow=False))
    assert isinstance(backend_for(study, None), RayBackend)
    inline = replace(study, resources=ResourceSettings(backend="inline"))
    assert isinstance(backend_for(inline, None), InlineBackend)


def test_ray_is_checked_only_if_it_will_run_trials(tmp_path: Path) -> None:
    study = Study(
        name="s", runs=tmp_path, tracking=TrackingSettings(mlflow=False), ray=RaySettings(address="127.0.0.1:9")
    )
    require_backend(study, train=False)
    with pytest.raises(InputError, match=r"ray\.address is 127\.0\.0\.1:9, but nothing answers there"):
        require_backend(study, train=True)
    require_backend(replace(study, resources=ResourceSettings(backend="inline")), train=True)
