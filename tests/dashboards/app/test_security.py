"""Who is answered: only pages of the bound address, on every method and path; nothing from data is ever markup."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tal_dashboards.data.notes import read_notes
from tal_dashboards.web import wrong_tokens
from tal_dashboards.web.binding import check_binding
from tal_search.errors import InputError
from tests.support.dashboard_parts import ask
from tests.support.raw_http import raw
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
    assert ask(address, path, "POST", Transfer_Encoding="chunked")[0] == 411


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


def test_a_token_is_asked_for_once_and_kept_as_a_cookie(swept: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_tokens, "FIRST", 0.0)
    with served(swept.runs, token=TOKEN) as address:
        name = f"tal_search_token_{urlsplit(address).port}"
        for path in PATHS:
            assert ask(address, path)[0] == 401
            assert ask(address, path, Cookie=f"{name}=wrong")[0] == 401
            assert ask(address, f"{path}?token=wrong")[0] == 401
        assert ask(address, "/thumos_single/_dash-update-component", "POST", "{}")[0] == 401
        given = TOKEN.replace(" ", "+")
        status, headers, _ = ask(address, f"/thumos_single/?view=tables&token={given}")
        assert (status, headers["location"]) == (303, "/thumos_single/?view=tables")
        assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]
        assert TOKEN not in headers["set-cookie"]
        cookie = headers["set-cookie"].partition(";")[0]
        assert ask(address, "/thumos_single/", Cookie=cookie)[0] == 200
        assert ask(address, "/thumos_single/", "HEAD", Cookie=cookie)[2] == ""
        assert ask(address, "//evil.example/?token=" + given)[1]["location"] == "/"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("//evil.example/", "/"), ("///evil.example", "/"), ("/\\evil.example/", "/"), ("/%5Cevil.example/", "/"),
        ("/%0d%0aSet-Cookie:%20a=b", "/"), ("/%0d%0a//evil.example", "/"), ("/thumos_single/../%2f/evil.example", None),
        ("/thumos_single", None), ("/compare", "/compare"), ("/~", "/~/"), ("/~/assets/x", "/~/"), ("/none/", "/"),
    ],
)  # fmt: skip
def test_no_answer_repeats_the_path_in_a_header(swept: Made, path: str, place: str | None) -> None:
    with served(swept.runs, token=TOKEN) as address:
        _, headers, _ = ask(address, f"{path}?token={TOKEN.replace(' ', '+')}&view=a%0d%0ab")
        assert headers["location"] == f"{place or '/thumos_single/'}?view=a%0D%0Ab"
        assert "evil" not in str(headers)


def test_wrong_tokens_wait_and_the_right_one_does_not(swept: Made) -> None:
    right = f"/?token={TOKEN.replace(' ', '+')}"
    with served(swept.runs, token=TOKEN) as address, ThreadPoolExecutor(8) as pool:
        port = urlsplit(address).port or 0
        tries = [pool.submit(timed, address, f"/?token=wrong{number}") for number in range(6)]
        while any(not one.running() and not one.done() for one in tries):
            time.sleep(0.01)
        status, seconds = timed(address, right)
        assert status == 303
        answered = [one.result() for one in tries]
        assert {wrong for wrong, _ in answered} == {401}
        longest = max(waited for _, waited in answered)
        assert longest > 3.0, "0.1 s, doubled five times"
        assert seconds < longest
        assert raw(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % port).status == 401


def timed(address: str, path: str) -> tuple[int, float]:
    started = time.monotonic()
    return ask(address, path)[0], time.monotonic() - started


@pytest.mark.parametrize("body", ['{"a": 1e999}', '{"a": NaN}', '{"a": %s}' % ("9" * 900_000), "[" * 900_000, "[]", ""])
def test_numbers_of_a_callback_are_bounded_before_they_are_converted(address: str, body: str) -> None:
    path = "/thumos_single/_dash-update-component"
    status, headers, text = ask(address, path, "POST", body, Content_Type="application/json")
    assert status == 400
    assert "JSON" in text or "number" in text
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "query",
    ["view=tables&trials-page=" + "9" * 5000, "view=cost&cost-budget=" + "9" * 5000, "view=tables&trials-page=0",
     "view=timeline&timeline-at=1e999", "view=timeline&timeline-at=nan", "view=playground&playground-nms=" + "9" * 5000,
     "view=plots&keep-lambda_sep=1e999999999..2", "&".join(f"a{number}=1" for number in range(3000)) + "&view=tables"],
    ids=lambda query: query[:40],
)  # fmt: skip
def test_numbers_of_an_address_are_bounded_before_they_are_converted(address: str, query: str) -> None:
    body = {
        "output": "views.children", "outputs": {"id": "views", "property": "children"},
        "changedPropIds": ["url.search"], "inputs": [{"id": "url", "property": "search", "value": f"?{query}"}],
    }  # fmt: skip
    path = "/thumos_single/_dash-update-component"
    assert ask(address, path, "POST", json.dumps(body), Content_Type="application/json")[0] == 200
    dependencies = json.loads(ask(address, "/thumos_single/_dash-dependencies")[2])
    (page,) = [one for one in dependencies if "heading.children" in one["output"]]
    names = [name.rpartition(".") for name in page["output"].strip(".").split("...")]
    body = {
        "output": page["output"], "outputs": [{"id": name, "property": part} for name, _, part in names],
        "changedPropIds": ["url.search"], "state": [one | {"value": None} for one in page["state"]],
        "inputs": [one | {"value": f"?{query}" if one["property"] == "search" else 0} for one in page["inputs"]],
    }  # fmt: skip
    status, _, text = ask(address, path, "POST", json.dumps(body), Content_Type="application/json")
    assert status == 200
    assert '"content"' in text


def test_a_long_query_is_refused(address: str) -> None:
    assert ask(address, "/?" + "&".join(["a=1"] * 101))[0] == 400
    assert ask(address, "/?" + "a" * 20_000)[0] == 414


def test_the_address_is_checked_as_it_is_bound() -> None:
    for every in ("::", "::ffff:0.0.0.0"):
        with pytest.raises(InputError, match="every address"):
            check_binding(every, TOKEN)
    with pytest.raises(InputError, match="needs a token"):
        check_binding("192.0.2.1", None)
    check_binding("127.0.0.1", None)
    check_binding("192.0.2.1", TOKEN)
