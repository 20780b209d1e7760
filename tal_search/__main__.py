"""`python -m tal_search`, the same as `tal-search`."""

from __future__ import annotations

import sys

from tal_search.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
