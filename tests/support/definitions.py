"""Installed definitions of datasets."""

from __future__ import annotations

from tal_search.data.catalog import installed

INSTALLED = installed()
THUMOS14 = INSTALLED["thumos14"].classes
