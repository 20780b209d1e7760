"""Where the repository keeps what tests read and write."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "tal_search", ROOT / "dashboards" / "tal_dashboards")
STUDIES = ROOT / "studies"
FIXTURES = ROOT / "tests" / "fixtures"  # files that every clone has
ARTIFACTS = ROOT / "tests" / "artifacts"  # what a failed test leaves for a reader; not in the repository
SUPPORT = Path(__file__).parent  # programs that tests start
