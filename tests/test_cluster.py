"""A study on several machines: the cluster's file as Ray reads it, and a node that dies under its trials."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import three_nodes
from small_trials import history, make_result

from tal_search.trial_folder import TrialFolder

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 90  # generous: a cluster starts in about ten


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Of the cluster and of a driver that may join it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # all on 127.0.0.1
        "RAY_USAGE_STATS_ENABLED": "0",
        "TUNE_MAX_PENDING_TRIALS_PG": "3",  # the nodes' first trials begin together
    }
    return {**inherited, **settings, "PYTHONPATH": str(Path(__file__).parent)}


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
            process.communicate("end\nend\n", timeout=SECONDS)
            shutil.rmtree(folder, ignore_errors=True)


def drive(address: str, folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, three_nodes.__file__, "drive", address, str(folder / "runs"), str(folder / "log")]
    return subprocess.Popen(command, text=True, env=environment, stderr=subprocess.PIPE)


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def under_way_on_third(folder: Path) -> bool:
    ended = {event["seed"] for event in events(folder) if event["event"] == "Finished"}
    return any(
        three_nodes.nodes_of(folder / "runs", spec) == ["third"] and spec.seed not in ended
        for spec in three_nodes.specs()
    )


def test_a_node_killed_midway_loses_no_trial_and_none_runs_twice(
    cluster: Running, tmp_path: Path, environment: dict[str, str]
) -> None:
    driver = drive(cluster.address, tmp_path, environment)
    try:
        until = time.monotonic() + SECONDS
        while len(events(tmp_path)) < 4 or not under_way_on_third(tmp_path):
            assert driver.poll() is None, driver.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        cluster.kill_third_node()
        _, errors = driver.communicate(timeout=SECONDS)
        assert driver.returncode == 0, errors
    finally:
        driver.kill()
        driver.communicate()
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


def test_a_driver_without_the_clusters_token_is_refused(
    cluster: Running, tmp_path: Path, environment: dict[str, str]
) -> None:
    driver = drive(cluster.address, tmp_path, environment | {"RAY_AUTH_TOKEN": secrets.token_hex(32)})
    try:
        _, errors = driver.communicate(timeout=SECONDS)
    finally:
        driver.kill()
        driver.communicate()
    assert driver.returncode == 1
    assert f"InputError: ray.address is {cluster.address}, but it cannot be joined: " in errors
    assert events(tmp_path) == []
