"""Published examples, as they lie in ``tests/vectors``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[1] / "vectors"


def published(name: str) -> Any:
    """The document of that name; its ``source`` says where it was published."""
    document = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    assert document["source"]
    return document
