"""The address of a proxy: which are accepted, and what they stand for."""

from __future__ import annotations

import pytest

from tal_dashboards.web.public import public_address
from tal_search.errors import InputError


@pytest.mark.parametrize(
    ("text", "hosts", "origin", "prefix"),
    [
        ("https://Lab.example/tal", {"lab.example", "lab.example:443"}, "https://lab.example", "/tal"),
        ("https://lab.example:443/a/b/", {"lab.example", "lab.example:443"}, "https://lab.example", "/a/b"),
        ("https://lab.example:8443", {"lab.example:8443"}, "https://lab.example:8443", ""),
        ("http://localhost:9000/", {"localhost:9000"}, "http://localhost:9000", ""),
        ("https://[fd00::1]/user/me/proxy/8050", {"[fd00::1]", "[fd00::1]:443"}, "https://[fd00::1]",
         "/user/me/proxy/8050"),
    ],
)  # fmt: skip
def test_an_address_names_hosts_an_origin_and_a_prefix(text: str, hosts: set[str], origin: str, prefix: str) -> None:
    found = public_address(text)
    assert (set(found.hosts), found.origin, found.prefix) == (hosts, origin, prefix)
    assert found.url == f"{origin}{prefix}/"


def test_an_address_of_this_machine_is_known() -> None:
    assert public_address("http://localhost:9000").local
    assert public_address("http://[::1]:9000").local
    assert not public_address("https://lab.example").local


@pytest.mark.parametrize(
    "text",
    ["", "lab.example", "//lab.example/x", "ftp://lab.example/", "https://", "https:///x", "https://a b/",
     "https://user:word@lab.example/", "https://lab.example/a//b", "https://lab.example/../x", "https://lab.example/?a",
     "https://lab.example/#a", "https://lab.example:99999/", "https://lab.example:x/", "https://lab.example/a\r\nb",
     "https://lab.example/a\\b", "https://lab.example/%2e", "https://*/", "https://lab.example/<b>", "https://[::1/"],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"(?s)public=.* is not an address; give https://HOST/PREFIX"):
        public_address(text)
