"""Who is answered: only pages of the bound address, on every method and path; nothing from data is ever markup."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tal_dashboards.app.security import check_binding
from tal_dashboards.data.notes import read_notes
from tal_search.errors import InputError
from tests.support.dashboard_parts import ask
from tests.support.small_dashboards import Made, served

TOKEN = "a token of some length"
PATHS = (
    "/", "/thumos_single/", "/thumos_single/_dash-layout", "/thumos_single/_dash-update-component", "/none",
    "/~", "/~/", "/~/_dash-layout", "/~/_dash-update-component", "/compare",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(swept: Made) -> Iterator[str]:
    with served(swept.runs) as found:
        yield found


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_or_origin_is_refused_on_every_method_and_path(address: str, path: str, method: str) -> None:
    port = urlsplit(address).port
    for headers in (
        {"Host": "evil.example"}, {"Host": f"evil.example:{port}"}, {"Host": f"127.0.0.1.evil.example:{port}"},
        {"Host": ""}, {"Host": "127.0.0.1:1"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{port}.evil.example"}, {"Origin": f"https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"},
    ):  # fmt: skip
        assert ask(address, path, method, **headers)[0] == 403, headers


def test_its_own_pages_are_answered_by_each_of_its_names(address: str) -> None:
    port = urlsplit(address).port
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        own = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}"}
        assert ask(address, "/thumos_single/", **own)[0] == 200


@pytest.mark.parametrize("path", [*PATHS, "/thumos_single/assets/style.css"])
def test_every_answer_carries_the_headers(address: str, path: str) -> None:
    for headers in ({}, {"Host": "evil.example"}):
        _, found, _ = ask(address, path, **headers)
        assert found["x-frame-options"] == "DENY"
        assert found["x-content-type-options"] == "nosniff"
        assert found["referrer-policy"] == "no-referrer"
        assert found["cross-origin-resource-policy"] == "same-origin"
        policy = found["content-security-policy"]
        assert policy.startswith("default-src 'none'; frame-ancestors 'none'")
        assert "unsafe-eval" not in policy
        assert "script-src 'unsafe-inline'" not in policy
        assert "access-control-allow-origin" not in found
        assert found["server"].strip() == "tal-search"


def test_other_methods_and_bodies_without_end_are_refused(address: str) -> None:
    path = "/thumos_single/_dash-update-component"
    assert ask(address, path, "OPTIONS")[0] == 405
    assert ask(address, path, "PUT", "{}")[0] == 405
    assert ask(address, path, "POST", "x" * 1_000_001)[0] == 413
    assert ask(address, path, "POST", Transfer_Encoding="chunked")[0] in (400, 411)


def callback(output: str, inputs: list[object], state: list[object]) -> str:
    return json.dumps({
        "output": output, "outputs": {"id": output.split(".")[0], "property": "children"}, "inputs": inputs,
        "changedPropIds": [], "state": state,
    })  # fmt: skip


def test_an_error_in_a_callback_shows_no_code(address: str) -> None:
    own = {"Content_Type": "application/json"}
    body = callback("nothing.children", [], [])
    status, _, text = ask(address, "/thumos_single/_dash-update-component", "POST", body, **own)
    assert status >= 400
    assert "Traceback" not in text
    assert "/site-packages/" not in text


def test_no_other_page_writes_a_note(swept: Made, tmp_path: Path) -> None:
    shutil.copytree(swept.runs / swept.name, tmp_path / swept.name)
    body = json.dumps(note_saved("study", "from elsewhere"))
    with served(tmp_path) as address:
        own = {"Content_Type": "application/json", "Origin": address}
        place = f"/{swept.name}/_dash-update-component"
        for headers in (own | {"Origin": "http://evil.example"}, own | {"Host": "evil.example"},
                        own | {"Content_Type": "text/plain"}):  # fmt: skip
            assert ask(address, place, "POST", body, **headers)[0] >= 400
            assert not (tmp_path / swept.name / "notes.json").exists()
        for key in ("0" * 20, "../../etc"):
            answer = ask(address, place, "POST", json.dumps(note_saved(key, "of no trial")), **own)
            assert "has no trial of the key" in answer[2]
        assert ask(address, place, "POST", body, **own)[0] == 200
        assert read_notes(tmp_path / swept.name).study == "from elsewhere"
    with served(tmp_path, token=TOKEN) as address:
        assert ask(address, place, "POST", body, Content_Type="application/json", Origin=address)[0] == 401


def note_saved(key: str, text: str) -> dict[str, object]:
    """What a page sends to save a note."""
    at = {name: {"key": key, "type": f"note-{name}"} for name in ("said", "seen", "save", "box")}
    said, seen = (json.dumps(at[name] | {"key": ["MATCH"]}, separators=(",", ":")) for name in ("said", "seen"))
    save = json.dumps(at["save"], separators=(",", ":"))
    return {
        "output": f"..{said}.children...{seen}.data..",
        "outputs": [{"id": at["said"], "property": "children"}, {"id": at["seen"], "property": "data"}],
        "inputs": [{"id": at["save"], "property": "n_clicks", "value": 1}], "changedPropIds": [f"{save}.n_clicks"],
        "state": [{"id": at["box"], "property": "value", "value": text},
                  {"id": at["seen"], "property": "data", "value": ""}],
    }  # fmt: skip


def test_a_token_is_asked_for_once_and_kept_as_a_cookie(swept: Made) -> None:
    with served(swept.runs, token=TOKEN) as address:
        for path in PATHS:
            assert ask(address, path)[0] == 401
            assert ask(address, f"{path}?token=wrong")[0] == 401
            assert ask(address, path, Cookie="tal_search_token=wrong")[0] == 401
        assert ask(address, "/thumos_single/_dash-update-component", "POST", "{}")[0] == 401
        given = TOKEN.replace(" ", "+")
        status, headers, _ = ask(address, f"/thumos_single/?view=tables&token={given}")
        assert (status, headers["location"]) == (303, "/thumos_single/?view=tables")
        assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]
        assert TOKEN not in headers["set-cookie"]
        cookie = headers["set-cookie"].partition(";")[0]
        assert ask(address, "/thumos_single/", Cookie=cookie)[0] == 200
        assert ask(address, "//evil.example/?token=" + given)[1]["location"] == "/evil.example/"


@pytest.mark.parametrize(
    ("host", "token", "problem"),
    [
        ("0.0.0.0", TOKEN, "every address"), ("::", TOKEN, "every address"), ("192.0.2.1", None, "needs a token"),
        ("192.0.2.1", "short", "at least 16"), ("my.machine", None, "needs a token"),
    ],
)  # fmt: skip
def test_another_address_demands_a_token(host: str, token: str | None, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        check_binding(host, token)
    check_binding("127.0.0.1", None)
    check_binding("192.0.2.1", TOKEN)
