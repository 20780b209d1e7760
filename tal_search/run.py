"""`python -m tal_search.run study=NAME`, the same as `tal-search run study=NAME`."""

from __future__ import annotations

import sys

from tal_search.cli.main import hide_passwords, main

if __name__ == "__main__":
    hide_passwords()
    sys.exit(main(["run", *sys.argv[1:]]))
