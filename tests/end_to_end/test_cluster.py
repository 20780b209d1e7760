"""A study on several machines: the cluster's file as Ray reads it, and a node that dies under its trials."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tal_search.execution.ray_tune import ray_settings
from tal_search.study import load_study
from tal_search.trial.folder import TrialFolder
from tests.support import three_nodes
from tests.support.paths import ROOT
from tests.support.small_trials import history, make_result
from tests.support.waiting import DEADLINE, IMPORTABLE, wait_for


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Of the cluster and of a driver that may join it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # all on 127.0.0.1
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # see conftest.py
        "TUNE_MAX_PENDING_TRIALS_PG": "3",  # the nodes' first trials begin together
    }
    return {**inherited, **settings, "PYTHONPATH": IMPORTABLE}


class Running:
    """The cluster's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = self._line()

    def kill_third_node(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        assert self._line() == "killed"

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the cluster ended"
        return line


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str]) -> Iterator[Running]:
    folder = tempfile.mkdtemp(prefix="tal-ray-", dir="/tmp")  # a short path: Ray's sockets lie deep below it
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command, place = [sys.executable, three_nodes.__file__, "cluster"], {"RAY_TMPDIR": folder}
    with subprocess.Popen(command, text=True, env=environment | place, **pipes) as process:
        try:
            yield Running(process)
        finally:
            process.communicate("end\nend\n", timeout=DEADLINE)
            shutil.rmtree(folder, ignore_errors=True)


class Driver(NamedTuple):
    process: subprocess.Popen[str]
    folder: Path


@contextmanager
def driving(address: str, folder: Path, environment: dict[str, str]) -> Iterator[Driver]:
    command = [sys.executable, three_nodes.__file__, "drive", address, str(folder / "runs"), str(folder / "log")]
    process = subprocess.Popen(command, text=True, env=environment, stderr=subprocess.PIPE)
    try:
        yield Driver(process, folder)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def stranger(
    cluster: Running, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Driver]:
    """A driver with a token of its own. Ray tries it for 20 seconds, so it begins beside another test."""
    other = environment | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with driving(cluster.address, tmp_path_factory.mktemp("stranger"), other) as driver:
        yield driver


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def under_way_on_third(folder: Path) -> bool:
    ended = {event["seed"] for event in events(folder) if event["event"] == "Finished"}
    return any(
        three_nodes.nodes_of(folder / "runs", spec) == ["third"] and spec.seed not in ended
        for spec in three_nodes.specs()
    )


@pytest.mark.usefixtures("stranger")
def test_a_node_killed_midway_loses_no_trial_and_none_runs_twice(
    cluster: Running, tmp_path: Path, environment: dict[str, str]
) -> None:
    with driving(cluster.address, tmp_path, environment) as (driver, _):
        wait_for(lambda: len(events(tmp_path)) >= 4 and under_way_on_third(tmp_path), driver)
        cluster.kill_third_node()
        _, errors = driver.communicate(timeout=DEADLINE)
        assert driver.returncode == 0, errors
    finished = [event["seed"] for event in events(tmp_path) if event["event"] == "Finished"]
    assert sorted(finished) == list(range(three_nodes.TRIALS))  # each acknowledged once
    assert not [event for event in events(tmp_path) if event["event"] == "Failed"]
    for spec in three_nodes.specs():
        folder = TrialFolder.of(tmp_path / "runs", spec.key)
        assert folder.result() == make_result(spec)
        assert history(folder, "finished") == ["finished"]
        assert history(folder, "epoch")[-3:] == ["epoch 1", "epoch 2", "epoch 3"]
    places = [three_nodes.nodes_of(tmp_path / "runs", spec) for spec in three_nodes.specs()]
    moved = [nodes for nodes in places if len(nodes) > 1]
    assert moved
    assert all(nodes[0] == "third" != nodes[-1] for nodes in moved)  # the other nodes' trials went on


def test_a_driver_without_the_clusters_token_is_refused(cluster: Running, stranger: Driver) -> None:
    _, errors = stranger.process.communicate(timeout=DEADLINE)
    assert stranger.process.returncode == 1
    assert f"InputError: ray.address is {cluster.address}, but it cannot be joined (" in errors
    assert events(stranger.folder) == []


def completed(config: dict[str, Any]) -> dict[str, Any]:
    """As `ray up` sees it: with the defaults of its provider, checked against Ray's schema."""
    ray_settings.prepare(None)  # before Ray is imported, as in every other test
    from ray.autoscaler._private.util import prepare_config, validate_config

    complete: dict[str, Any] = prepare_config(config)
    validate_config(complete)
    return complete


def test_the_clusters_file_is_one_that_ray_accepts() -> None:
    config = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())
    types = completed(config)["available_node_types"]
    assert config["head_node_type"] == "head"
    assert (types["head"]["max_workers"], types["head"]["resources"]["CPU"]) == (0, 0)
    assert types["gpu_worker"]["resources"]["GPU"] == 1
    assert 1 <= types["gpu_worker"]["min_workers"] <= types["gpu_worker"]["max_workers"] <= config["max_workers"]
    for start in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        assert "RAY_AUTH_MODE=token" in start[-1]


def test_the_clusters_versions_are_the_pinned_ones() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    commands = " ".join(yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())["setup_commands"])
    named = dict(re.findall(r"([\w-]+)(?:\[[\w,]+\])?==([\w.]+)", commands))
    assert {"ray", "boto3"} == named.keys()
    assert named["ray"] == pins["ray"]
    assert "-c constraints.txt" in commands


GUIDE = (ROOT / "docs" / "cluster.md").read_text()


def test_the_guides_file_for_ones_own_machines_is_one_that_ray_accepts() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    config = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())
    del config["available_node_types"], config["head_node_type"]
    complete = completed({**config, **yaml.safe_load(text)})
    assert complete["provider"]["worker_ips"] == ["10.0.0.2", "10.0.0.3"]
    assert complete["available_node_types"]["local.cluster.node"]["max_workers"] == 2


def test_the_guides_studies_are_ones_that_the_command_accepts() -> None:
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL)).replace("\\\n", " ")
    commands = [line.split()[3:] for line in blocks.splitlines() if "tal_search.run" in line]
    assert len(commands) == 2
    overrides = [[word for word in command if not word.startswith(("study=", "--"))] for command in commands]
    study = [load_study("thumos_grid", words, ROOT / "studies") for words in overrides][-1]
    assert (study.ray.address, study.runs, study.resources.gpus_per_trial) == ("auto", Path("/shared/runs"), 1)
    assert study.record == "postgresql+psycopg://tal_search@10.0.0.9/studies"
    for key in re.findall(r"`(?:ray|tracking|resources)\.(\w+)", GUIDE):
        assert any(hasattr(part, key) for part in (study.ray, study.tracking, study.resources)), key
