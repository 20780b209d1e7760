"""Documents: listed in the index, links that lead somewhere, one version everywhere, an API page that is current."""

from __future__ import annotations

import dataclasses
import re
import runpy
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from tal_search.study import ResourceSettings
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
ADRS = sorted((DOCS / "adr").glob("[0-9]*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])
FENCE = re.compile(r"^( *)(```+).*?^\1\2`*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`+[^`]*`+")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ENTRY = re.compile(r"^## (\d+\.\d+\.\d+)\b", re.MULTILINE)
STATUS = re.compile(r"^Date: \d{4}-\d\d-\d\d\. Status: (accepted|superseded)\b", re.MULTILINE)
ALTERNATIVE = re.compile(r"^(## The alternatives? not taken|Not taken:)$", re.MULTILINE)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """The text without blocks of code, and without code in a line."""
    return CODE.sub("", FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and GitLab give to the headings of a page."""
    headings = HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def citation() -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    return found


def test_every_document_is_in_the_index() -> None:
    linked = {target.rstrip("/") for target in LINK.findall((DOCS / "README.md").read_text("utf-8"))}
    wanted = {file.name for file in DOCS.iterdir() if file.suffix in (".md", ".py") and file.name != "README.md"}
    folders = {folder.name for folder in DOCS.iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    missing = {name for name in wanted if name not in linked}
    missing |= {name for name in folders if not linked & {name, f"{name}/README.md"}}
    assert not missing, f"docs/README.md has no line for {sorted(missing)}"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        target, _, anchor = unquote(link).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        found = (page.parent / target).resolve() if target else page
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
            broken.append(link)
    assert not broken, f"{shown(page)} has links to nothing: {broken}"


@pytest.mark.parametrize("adr", ADRS, ids=lambda path: path.stem)
def test_a_decision_has_number_date_status_and_alternative(adr: Path) -> None:
    text = adr.read_text("utf-8")
    assert text.startswith(f"# {int(adr.stem[:4])}. "), "the title begins with the number of the file"
    assert STATUS.search(text), "Date: YYYY-MM-DD. Status: accepted (or superseded by ADR N)."
    assert ALTERNATIVE.search(text), "a section: The alternative not taken"


def test_every_decision_is_in_its_index_once() -> None:
    index = (DOCS / "adr" / "README.md").read_text("utf-8")
    assert [adr.name for adr in ADRS if index.count(f"]({adr.name})") != 1] == []
    assert len({adr.stem[:4] for adr in ADRS}) == len(ADRS), "two decisions have one number"


def test_places_named_in_the_glossary_exist() -> None:
    places = re.findall(r"`((?:tal_search|dashboards|docs)/[\w./]+)`", (DOCS / "glossary.md").read_text("utf-8"))
    assert len(places) > 40
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_citation_has_what_the_format_requires() -> None:
    found = citation()
    assert {"cff-version", "message", "title", "authors", "type", "version", "license"} <= found.keys()
    references = found["references"]
    assert isinstance(references, list)
    for paper in references:
        assert {"type", "title", "authors", "year"} <= paper.keys(), paper
        assert all({"family-names", "given-names"} <= author.keys() for author in paper["authors"]), paper["title"]


def test_package_changelog_and_citation_have_one_version_and_license() -> None:
    declared, cited = project(), citation()
    entry = ENTRY.search((ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert entry is not None, "CHANGELOG.md begins with the entry of a version"
    assert declared["version"] == entry[1] == cited["version"]
    assert declared["license"] == cited["license"] == "Apache-2.0"


def test_the_license_is_that_of_apache_with_our_notice() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "Copyright 2026 the tal_search authors" in text
    assert "[yyyy]" not in text


def test_the_api_page_is_made_from_the_docstrings_of_today() -> None:
    made = runpy.run_path(str(DOCS / "make_api.py"))
    assert made["page"]() == made["PAGE"].read_text("utf-8"), "docs/api.md is older than the docstrings: make docs"


def test_every_key_of_resources_is_listed_with_its_default() -> None:
    section = (ROOT / "docs" / "studies.md").read_text().partition("## Resources")[2].partition("\n## ")[0]
    names = {field.name for field in dataclasses.fields(ResourceSettings)}
    assert {
        name for row in re.findall(r"^\| (`.+?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)
    } == names
    assert f"| {ResourceSettings.stall_minutes:g} |" in section
    assert f"| {ResourceSettings.retries} |" in section
