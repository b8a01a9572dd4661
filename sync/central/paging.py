"""Long lists page by page: a page begins behind the row that the one before ended with."""

from __future__ import annotations

import argparse
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, and_, or_, select, true

from kiosk.errors import OfficerFault

PAGE: Final = 500


def add_page(parser: argparse.ArgumentParser, limit: int = PAGE) -> None:
    """Puts ``--after`` and ``--limit`` on a command that lists."""
    parser.add_argument("--after", default="", metavar="ID", help="only what comes behind this one")
    parser.add_argument("--limit", type=int, default=limit)


def behind(
    connection: Connection,
    key: Column[Any],
    after: str,
    order: tuple[Column[Any], ...],
    *,
    newest_first: bool = False,
) -> ColumnElement[bool]:
    """What stands behind the row whose ``key`` is ``after``, in that order; everything if ``after`` is empty.

    ``newest_first``: the first column of ``order`` falls. Raises OfficerFault ``unknown_row``.
    """
    if not after:
        return true()
    place = connection.execute(select(*order).where(key == after)).first()
    if place is None:
        raise OfficerFault("unknown_row", f"nothing in this list is called {after}")
    beyond: list[ColumnElement[bool]] = []
    for at, column in enumerate(order):
        falls = newest_first and at == 0
        same = [order[before] == place[before] for before in range(at)]
        beyond.append(and_(*same, column < place[at] if falls else column > place[at]))
    return or_(*beyond)
