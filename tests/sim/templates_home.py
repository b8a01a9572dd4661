"""Where a simulation's files lie."""

from __future__ import annotations

import os
from pathlib import Path


def memory_folder() -> str | None:
    """A file system in memory that can be written to; None for the usual temporary folder."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and os.access(memory, os.W_OK) else None
