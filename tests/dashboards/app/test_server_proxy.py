"""The dashboards behind a real proxy with TLS: under its prefix, for its host and origin and no other."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser

from tal_dashboards.app.server import bound_server
from tal_dashboards.data.notes import read_notes
from tal_dashboards.web.public import public_address
from tal_search.errors import InputError
from tests.support.browser import visit
from tests.support.dashboard_parts import ask
from tests.support.reverse_proxy import proxying
from tests.support.small_dashboards import Made, served

PREFIX = "/lab/tal"
TOKEN = "a token of some length"
WAYS = {"kept": (True, ""), "removed": (False, ""), "removed, with its own host": (False, "127.0.0.1:{}")}


class Behind(NamedTuple):
    """url: the public address, without a slash at its end; direct: that of the server behind the proxy."""

    url: str
    direct: str


@pytest.fixture(scope="module", params=WAYS.values(), ids=list(WAYS))
def behind(
    request: pytest.FixtureRequest, compared: Made, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    keeps, host = request.param
    with proxying(tmp_path_factory.mktemp("tls"), PREFIX, keeps=keeps) as proxy:
        public = public_address(f"{proxy.origin}{PREFIX}")
        with served(compared.runs, public=public) as address:
            proxy.upstream = urlsplit(address).port or 0
            proxy.host = host.format(proxy.upstream)
            yield Behind(public.url.rstrip("/"), address)


def fetched(url: str, **headers: str) -> tuple[str, str]:
    """The text behind redirects, and the address at their end."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, context=context) as found:
        return found.read().decode(errors="replace"), found.url


def test_pages_assets_redirects_and_downloads_stay_below_the_prefix(behind: Behind, compared: Made) -> None:
    linked = set()
    for path in ("/", "/~/", "/~", "/compare", f"/{compared.name}", f"/{compared.name}/"):
        text, url = fetched(behind.url + path)
        assert url.startswith(f"{behind.url}/")
        linked |= {urljoin(url, link) for link in re.findall(r'(?:src|href)="([^"]+)"', text)}
    assert len(linked) > 20
    for link in linked:
        assert link.startswith(f"{behind.url}/")
        assert fetched(link)[0]
    rows = fetched(f"{behind.url}/{compared.name}/study-trials.csv")[0].splitlines()
    assert rows[0].startswith("number,state,")
    assert len(rows) > len(compared.plan.fits)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(f"{behind.url}/none/")


def test_the_public_host_and_origin_are_accepted_and_no_other(behind: Behind) -> None:
    own, origin = urlsplit(behind.url).netloc, behind.url.removesuffix(PREFIX)
    assert ask(behind.direct, f"{PREFIX}/", Host=own, Origin=origin)[0] == 200
    assert ask(behind.direct, "/", Host=own, Origin=origin)[0] == 200
    assert ask(behind.direct, "/")[0] == 200
    for host, source in (
        ("evil.example", origin), (own, "https://evil.example"), (own, f"http://{own}"),
        (own, f"{origin}.evil.example"), (f"{own}1", origin), ("localhost", origin),
    ):  # fmt: skip
        assert ask(behind.direct, f"{PREFIX}/", Host=host, Origin=source)[0] == 403, (host, source)
    forwarded = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Prefix": "/evil", "X_Forwarded_Proto": "http"}
    assert "evil" not in ask(behind.direct, "/", **forwarded)[2]


def test_a_token_becomes_a_cookie_of_the_prefix_alone(compared: Made) -> None:
    public = public_address(f"https://lab.example{PREFIX}")
    with served(compared.runs, token=TOKEN, public=public) as address:
        asked = f"/{compared.name}/?view=tables&token={TOKEN.replace(' ', '+')}"
        for path in (asked, PREFIX + asked):
            status, headers, _ = ask(address, path, Host="lab.example")
            assert (status, headers["location"]) == (303, f"{PREFIX}/{compared.name}/?view=tables")
            assert headers["set-cookie"].endswith(f"; HttpOnly; SameSite=Strict; Path={PREFIX}/; Secure")
            assert "Secure" not in ask(address, path)[1]["set-cookie"], "a browser on this machine speaks HTTP"


def test_a_prefix_that_is_a_study_is_refused(compared: Made) -> None:
    with pytest.raises(InputError, match="is the name of a study"):
        bound_server(compared.runs, None, port=0, public=public_address(f"https://lab.example/{compared.name}/x"))


@pytest.mark.slow
@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "removed"])
def test_a_browser_uses_callbacks_links_and_notes_through_the_proxy(
    opened: Browser, compared: Made, tmp_path: Path, keeps: bool
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(compared.runs, runs)
    with proxying(tmp_path, PREFIX, keeps=keeps) as proxy:
        public = public_address(f"{proxy.origin}{PREFIX}")
        with served(runs, token=TOKEN, public=public) as address, visit(opened, public.url.rstrip("/")) as page:
            proxy.upstream = urlsplit(address).port or 0
            page.page.goto(f"{public.url}?token={TOKEN.replace(' ', '+')}")
            page.page.click(f"h2 a >> text={compared.name}")
            page.drawn()
            page.switch("tables")
            page.page.fill("textarea[placeholder='Write a note on this study']", "through the proxy")
            page.page.click("text=Save the note")
            page.page.wait_for_selector("text=Saved.")
            assert read_notes(runs / compared.name).study == "through the proxy"
            assert page.page.url == f"{public.url}{compared.name}/?view=tables"
            page.page.click("text=All studies")
            page.page.click("text=Compare the selected studies")
            page.page.wait_for_selector("#compare-studies")
            assert page.page.url == f"{public.url}compare"
            assert json.loads(page.page.evaluate("JSON.stringify(document.cookie)")) == "", "no script reads the cookie"
