"""Addresses of the pages about several studies."""

from __future__ import annotations

from dash.development.base_component import Component

from tal_dashboards.data.study_data import selection_of
from tal_dashboards.home.links import COMPARE, HOME, compare_query, site_links, study_address


def hrefs(links: Component) -> list[str]:
    return [link.href for link in links.children]


def test_a_name_is_one_part_of_a_path() -> None:
    assert study_address("a/b?c") == "/a%2Fb%3Fc/"
    assert study_address("..") == "/../"


def test_a_comparison_names_its_studies() -> None:
    assert compare_query([]) == ""
    assert compare_query(["a", "b"]) == "?studies=a,b"
    assert selection_of(compare_query(["a&b", "c"]))["studies"] == "a&b,c"


def test_links_lead_to_the_list_and_to_a_comparison_with_this_study() -> None:
    assert hrefs(site_links()) == [HOME, COMPARE]
    assert hrefs(site_links("a&b")) == [HOME, f"{COMPARE}?studies=a%26b"]
