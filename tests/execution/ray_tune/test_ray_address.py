"""The address of a Ray cluster: refused with the name of the setting that it comes from."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from tal_search.errors import InputError
from tal_search.execution.ray_tune import ray_address
from tal_search.execution.ray_tune.ray_address import RayAddress

UNSET = "; unset RAY_ADDRESS to use this machine, or give the address of a running cluster"
DROP = "; drop ray.address to use this machine, or start that cluster"


def refusal(setting: str | None) -> str:
    with pytest.raises(InputError) as caught:
        RayAddress.of(setting).require_answer()
    (sentence,) = caught.value.problems
    return sentence


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:9", "nothing answers there"),
        (" 127.0.0.1:9 ", "nothing answers there"),
        ("no such host:6379", "nothing answers there"),
        ("ray://127.0.0.1:10001", "trials are not driven through Ray's client"),
        ("http://127.0.0.1:8265", "trials are not driven through Ray's client"),
        ("127.0.0.1", 'it is neither HOST:PORT nor "auto"'),
        (":6379", 'it is neither HOST:PORT nor "auto"'),
        ("127.0.0.1:", 'it is neither HOST:PORT nor "auto"'),
        ("127.0.0.1:port", 'it is neither HOST:PORT nor "auto"'),
        ("127.0.0.1:99999", 'it is neither HOST:PORT nor "auto"'),
        ("127.0.0.1:-1", 'it is neither HOST:PORT nor "auto"'),
        ("ünïcode\x00:6379", "nothing answers there"),
    ],
)
def test_a_refused_address_is_named_by_where_it_comes_from(
    address: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    said = refusal(address)
    assert said.startswith(f"ray.address is {address.strip()}, but {reason}")
    assert said.endswith(DROP)
    if "\x00" in address:
        return  # the environment cannot hold it
    monkeypatch.setenv("RAY_ADDRESS", address)
    said = refusal(None)
    assert said.startswith(f"the environment variable RAY_ADDRESS is {address.strip()}, but {reason}")
    assert said.endswith(UNSET)
    assert "ray.address" not in said


def test_the_studys_own_address_counts_before_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert RayAddress.of("auto") == ("auto", "ray.address")
    assert RayAddress.of(None) == ("127.0.0.1:9", "RAY_ADDRESS")


@pytest.mark.parametrize("value", ["", "  ", "local"])
def test_an_empty_address_means_a_ray_of_the_studys_own(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", value)
    assert RayAddress.of(None).address is None


def test_a_ray_that_answers_is_not_refused_and_auto_is_left_to_ray(cluster: str) -> None:
    RayAddress.of(cluster).require_answer()
    RayAddress.of("auto").require_answer()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_another_server_is_refused_at_once(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_address, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    connection.sendall(answer)
                    connection.recv(100)

        thread = threading.Thread(target=serve)
        thread.start()
        said = refusal(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert "but what answers there is no Ray; " in said
