"""The house of the code: what may stand at the top of the package, and how many modules a folder may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.paths import ROOT

MOST_MODULES = 14
PACKAGES = (ROOT / "tal_search", ROOT / "dashboards" / "tal_dashboards")
FOLDERS = sorted({file.parent for package in PACKAGES for file in package.rglob("*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_has_few_modules(folder: Path) -> None:
    modules = sorted(file.name for file in folder.glob("*.py"))
    assert len(modules) <= MOST_MODULES, f"{len(modules)} modules; the room is two: {', '.join(modules)}"


def test_every_folder_with_modules_is_a_package() -> None:
    assert [folder for folder in FOLDERS if not (folder / "__init__.py").is_file()] == []


def test_only_what_every_room_needs_stands_at_the_top() -> None:
    found = {file.stem for file in (ROOT / "tal_search").glob("*.py")}
    assert found == {"__init__", "__main__", "run", "errors", "fields", "types"}
