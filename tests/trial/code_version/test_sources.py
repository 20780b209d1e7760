"""Names of the package followed to their definitions, without importing anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tal_search.trial.code_version import reach, version_of
from tal_search.trial.code_version.sources import Definition
from tests.support.code_copies import write_package
from tests.support.code_ways import require_helper_reached


@pytest.mark.parametrize(
    "source",
    [
        "from pack.a import helper\nSPECIFICATION = helper",
        "from pack.b import helper\nSPECIFICATION = helper",
        "from pack import b\nSPECIFICATION = b.helper",
        "import pack.b as z\nSPECIFICATION = z.helper",
        "import pack.b\nSPECIFICATION = pack.b.helper",
        "from .. import b\nSPECIFICATION = b.helper",
        "from ..b import helper as h\ndef SPECIFICATION(): return h",
        "try:\n    from pack.a import helper\nexcept ImportError:\n    helper = None\nSPECIFICATION = helper",
        "if TYPE_CHECKING:\n    from pack.c import Held\ndef SPECIFICATION(x: 'list[Held]'): x.f()",
        "from pack.c import Alias\ndef SPECIFICATION(x: Alias): x.f()",
        "from pack.c import Alias\nclass SPECIFICATION:\n    x: Alias",
        "import pack.a\npack.a.helper(1)\nSPECIFICATION = 1",
    ],
)  # fmt: skip
def test_names_are_followed_in_every_form(source: str, tmp_path: Path) -> None:
    require_helper_reached(source, tmp_path)


def test_helpers_of_one_name_are_told_apart(tmp_path: Path) -> None:
    files = {
        "a.py": "def _h(x): return x + ONE\nONE = 1\n",
        "b.py": "def _h(x): return x + ONE\nONE = 2\n",
        "methods/m.py": "from pack.a import _h\nfrom pack.b import _h as o\nSPECIFICATION = lambda x: _h(x) - o(x)\n",
    }
    package = write_package(tmp_path / "1", files)
    swapped = {**files, "a.py": files["b.py"], "b.py": files["a.py"]}
    first, second = (version_of(one, "m", "simulated") for one in (package, write_package(tmp_path / "2", swapped)))
    assert first != second
    assert {Definition("pack.a", "_h"), Definition("pack.b", "_h")} <= reach(
        package, "m", "simulated"
    ).definitions.keys()


def test_nothing_is_imported_to_read_it() -> None:
    code = "import sys, tal_search.trial.code_version as c; c.code_version('backtal', 'simulated'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.split()
    assert "tal_search.trial.code_version" in loaded
    assert not {"torch", "numpy", "tal_search.trial.run", "tal_search.methods", "tal_search.types"} & set(loaded)
