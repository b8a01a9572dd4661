"""One span of bytes of a file, asked for and answered as RFC 9110 section 14 says."""

from __future__ import annotations

import re
from typing import Final

from fastapi import Response

from kiosk.errors import CentralFault
from sync.snapshot_format import MEDIA_TYPE, PIECE_BYTES

_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


def read_range(header: str) -> tuple[int, int] | None:
    """First and last byte wanted, at most PIECE_BYTES of them; None without the header: all of it.

    Raises CentralFault ``range_unsatisfiable`` for what is not one span from a first byte on.
    """
    if not header:
        return None
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        raise CentralFault("range_unsatisfiable", "one span is answered: bytes=first-last")
    first = int(found[1])
    most = first + PIECE_BYTES - 1
    return first, min(int(found[2]), most) if found[2] else most


def answer(data: bytes, size: int, first: int, *, whole: bool) -> Response:
    """The answer: 200 with all of it, else 206 and where in it the bytes stand."""
    headers = {"Accept-Ranges": "bytes"}
    if whole:
        return Response(data, 200, headers, media_type=MEDIA_TYPE)
    headers["Content-Range"] = f"bytes {first}-{first + len(data) - 1}/{size}"
    return Response(data, 206, headers, media_type=MEDIA_TYPE)
