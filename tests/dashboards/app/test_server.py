"""Addresses of the server: studies, the list and the comparison, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tal_dashboards.app.server import bound_server
from tal_dashboards.web.public import public_address
from tal_search.cli.main import main
from tal_search.errors import InputError
from tests.support.dashboard_parts import ask
from tests.support.small_dashboards import Made, served
from tests.support.small_plans import cell_spec, plan_of, run


@pytest.fixture(scope="module")
def address(swept: Made) -> Iterator[str]:
    with served(swept.runs) as found:
        yield found


@pytest.mark.parametrize(
    "path", ["/../", "/..%2f..%2fetc/passwd", "/thumos_single/assets/..%2f..%2fapp.py", "/trials/"]
)
def test_a_path_leads_nowhere_but_to_studies(address: str, path: str) -> None:
    status, _, text = ask(address, path)
    assert status == 404
    assert "import" not in text
    assert "root:" not in text


def test_a_study_named_like_a_script_is_text_where_there_is_none(address: str) -> None:
    status, _, text = ask(address, "/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert status == 404
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize("first", [None, "compare"])
def test_the_list_and_the_comparison_are_reached_whatever_a_study_is_called(tmp_path: Path, first: str | None) -> None:
    for name in ("compare", "assets", "_dash-layout"):
        run(plan_of(tmp_path, [cell_spec(0)], name))
    with served(tmp_path, first) as address:
        status, headers, text = ask(address, "/")
        assert (status, headers.get("location")) == ((200, None) if first is None else (302, "/compare/"))
        for path in ("/~/", "/compare", "/compare?studies=assets,compare"):
            status, headers, text = ask(address, path)
            assert status == 200
            assert "<title>Studies – tal-search</title>" in text
            assert "script-src 'self'" in headers["content-security-policy"]
        for name in ("compare", "assets", "_dash-layout"):
            assert f"<title>{name} – tal-search</title>" in ask(address, f"/{name}/")[2]
        assert ask(address, "/~")[1]["location"] == "/~/"
        assert ask(address, "/~/assets/home.css")[0] == 200


def test_a_port_that_is_taken_and_other_bad_arguments_are_one_sentence_each(
    swept: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(swept.runs) as address, pytest.raises(InputError, match="cannot be bound"):
        bound_server(swept.runs, None, port=urlsplit(address).port or 0)
    assert main(["dashboard", "port=x"]) == 2
    assert main(["dashboard", "host=0.0.0.0", f"runs={swept.runs}"]) == 2
    assert main(["dashboard", "debug=true"]) == 2
    assert main(["dashboard", "study=none", f"runs={swept.runs}"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4


@pytest.mark.parametrize("prefix", ["~", "compare", "~/x", "assets", "_dash-layout/a"])
def test_a_public_prefix_is_no_page_of_the_site(prefix: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"of public= is a page of the site; give another prefix"):
        bound_server(tmp_path, None, port=0, public=public_address(f"https://lab.example/{prefix}"))


@pytest.mark.parametrize("name", ["../x", "", "a b", "~"])
def test_a_name_that_no_study_can_have_is_told_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no name of a study; a name has letters, digits, - and _"):
        bound_server(tmp_path, name, port=0)
