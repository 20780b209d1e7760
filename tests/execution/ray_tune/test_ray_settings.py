"""Environment variables that Ray reads: a token for our own Ray, none for a cluster that is joined."""

from __future__ import annotations

import os
import sys

import pytest

from tal_search.execution.ray_tune import ray_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Of a process that has not imported Ray."""
    variables: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", variables)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    return variables


def test_our_own_ray_gets_a_new_token_and_listens_on_loopback(environment: dict[str, str]) -> None:
    ray_settings.prepare(None)
    token = environment["RAY_AUTH_TOKEN"]
    assert environment["RAY_AUTH_MODE"] == "token"
    assert len(token) == 64
    assert environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert "TUNE_MAX_PENDING_TRIALS_PG" not in environment
    ray_settings.prepare(None)
    assert environment["RAY_AUTH_TOKEN"] == token, "a second study keeps what Ray has read"


@pytest.mark.parametrize(("address", "loopback"), [("127.0.0.1:6379", "0"), ("10.0.0.1:6379", None), ("auto", None)])
def test_a_ray_that_joins_gets_no_token_of_our_own(
    address: str, loopback: str | None, environment: dict[str, str]
) -> None:
    ray_settings.prepare(address)
    assert "RAY_AUTH_TOKEN" not in environment
    assert environment.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") == loopback
    assert environment["TUNE_MAX_PENDING_TRIALS_PG"] == "16"


def test_a_ray_that_is_imported_already_gets_no_token(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", sys)
    ray_settings.prepare(None)
    assert "RAY_AUTH_TOKEN" not in environment
    assert environment["RAY_memory_monitor_refresh_ms"] == "0"


def test_a_users_own_settings_stay(environment: dict[str, str]) -> None:
    environment["RAY_AUTH_MODE"] = "disabled"
    ray_settings.prepare(None)
    assert environment["RAY_AUTH_MODE"] == "disabled"
