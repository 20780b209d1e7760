"""The file for `pip install --require-hashes` agrees with constraints.txt and pyproject.toml, and names no host."""

from __future__ import annotations

import re
import tomllib

from tests.support.paths import ROOT

PIN = re.compile(r"([\w.-]+)==([^\s;]+)")


def name_of(text: str) -> str:
    match = re.match(r"[\w.-]+", text)
    assert match, text
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text().splitlines()
    return {name_of(match[1]): match[2] for line in lines if (match := PIN.match(line))}


def test_the_hashes_are_of_the_versions_in_the_constraints() -> None:
    hashed, known = pins("constraints-hashes.txt"), pins("constraints.txt")
    assert {name: version for name, version in hashed.items() if known.get(name, version) != version} == {}


def test_every_package_that_an_installation_needs_has_hashes_and_no_host_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    (every,) = extras["all"]  # "tal-search[ray,tracking,...]"
    parts = every.partition("[")[2].rstrip("]").split(",")
    needed = [*project["dependencies"], *(one for part in parts for one in extras[part])]
    assert {name_of(one) for one in [*needed, "hatchling"]} - pins("constraints-hashes.txt").keys() == set()
    text = (ROOT / "constraints-hashes.txt").read_text()
    assert "://" not in text
    for package in re.split(r"\n(?=[\w])", text.split("\n", 2)[2]):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", package), package
