"""Central, for which a bucket is large, and loaded as a file, from 50 rows on instead of some thousands."""

from __future__ import annotations

import sys

from sync.central import changes
from sync.central.cli import main

if __name__ == "__main__":
    changes.SNAPSHOT_ROWS = 50  # type: ignore[misc]
    sys.exit(main())
