"""Cases: what people are to settle, and apart from them what was handed out as granted though cut since."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from sync.central.flags import EXPOSURE
from sync.central.models import case
from sync.central.paging import PAGE, behind
from sync.central.state import Central


def listed(
    central: Central, *, exposures: bool = False, after: str = "", limit: int = PAGE
) -> list[dict[str, Any]]:
    """Cases behind ``after``, newest first; ``exposures``: the reports that are nobody's fault instead.

    Raises OfficerFault ``unknown_row``.
    """
    wanted = case.c.code == EXPOSURE if exposures else case.c.code != EXPOSURE
    query = select(case).where(wanted).order_by(case.c.opened_at.desc(), case.c.id).limit(limit)
    order = (case.c.opened_at, case.c.id)
    with central.database.read() as connection:
        query = query.where(behind(connection, case.c.id, after, order, newest_first=True))
        return [
            dict(row) | {"refs": json.loads(row["refs"]), "detail": json.loads(row["detail"])}
            for row in connection.execute(query).mappings()
        ]
