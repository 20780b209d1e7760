"""What an installed package holds: the wheel is built and opened."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return zipfile.ZipFile(built)


def below(folder: Path, ending: str, name: str) -> set[str]:
    return {f"{name}/{path.relative_to(folder).as_posix()}" for path in folder.rglob(f"*.{ending}")}


def test_it_installs_two_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tal_search", "tal_dashboards"}


def test_code_studies_published_numbers_and_assets_are_in_it(wheel: zipfile.ZipFile) -> None:
    code, pages = ROOT / "tal_search", ROOT / "dashboards" / "tal_dashboards"
    wanted = below(code, "py", "tal_search") | below(pages, "py", "tal_dashboards")
    wanted |= below(ROOT / "studies", "yaml", "tal_search/studies") | below(code, "csv", "tal_search")
    wanted |= below(ROOT / "datasets", "yaml", "tal_search/datasets")
    wanted |= below(pages, "css", "tal_dashboards") | below(pages, "js", "tal_dashboards") | {"tal_search/py.typed"}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == wanted
    assert len([name for name in wanted if name.startswith("tal_search/studies/")]) > 10
    (licence,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_its_command_is_tal_search(wheel: zipfile.ZipFile) -> None:
    (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "tal-search = tal_search.cli.main:main" in wheel.read(points).decode()
