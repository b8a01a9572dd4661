"""What a hint and a reader's stages are in a line of JSON, both ways."""

from __future__ import annotations

from typing import Any, cast, get_args

from drivers.commands import Garbage, text_field
from drivers.reader import Hint, HintCode

MOST_STAGES = 32
MOST_NAME = 40


def hint_document(code: HintCode, region: tuple[float, float, float, float]) -> dict[str, Any]:
    """The line of a hint, its region as shares of the picture rounded to a thousandth."""
    return {"event": "hint", "code": code, "region": [round(share, 3) for share in region]}


def parse_hint(document: dict[str, Any]) -> Hint:
    """The hint of such a line. Raises Garbage."""
    code = text_field(document, "code")
    if code not in get_args(HintCode):
        raise Garbage("no such hint")
    region = document.get("region")
    if (
        not isinstance(region, list)
        or len(region) != 4
        or not all(type(share) in (int, float) and 0 <= share <= 1 for share in region)
    ):
        raise Garbage("region is not four shares")
    left, top, right, bottom = (float(share) for share in region)
    return Hint(cast(HintCode, code), (left, top, right, bottom))


def parse_stages(document: dict[str, Any]) -> dict[str, int]:
    """The counts of a health line by stage; {} where it has none. Raises Garbage."""
    stages = document.get("stages", {})
    if not isinstance(stages, dict) or len(stages) > MOST_STAGES:
        raise Garbage("stages are not counts")
    for count in stages.values():
        if type(count) is not int or count < 0:
            raise Garbage("a stage is not a count")
    return {name[:MOST_NAME]: count for name, count in stages.items()}
