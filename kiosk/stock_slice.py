"""The stock slice: central's signed word that one kiosk may hand out so much of a program's stock.

A COSE_Sign1 with context ``kmc/stock/1`` over a CBOR map. A slice is a second thing beside a right: holding a
right promises no stock, and a slice entitles nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose
from kiosk.errors import CentralFault
from kiosk.grant import CentralKeys

CONTEXT: Final = b"kmc/stock/1"
MAX_SLICE: Final = 2**53
_KEYS: Final = frozenset(("v", "slice", "program", "kiosk", "gen", "quantity", "issued"))
_ID: Final = re.compile(r"([A-Z0-9]{2,8})\.([1-9][0-9]{0,8})/([a-z0-9-]{2,40})/([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class StockSlice:
    """So much of a program's stock lies at one kiosk."""

    id: str
    """``<kiosk>.<gen>/<program>/<n>``."""
    program_id: str
    kiosk: str
    gen: int
    quantity: int
    """In the benefit's smallest unit."""
    issued: int
    """Unix seconds."""


def program_of_slice(slice_id: str) -> str:
    """The program that a slice's id names. Raises ValueError."""
    match = _ID.fullmatch(slice_id)
    if match is None:
        raise ValueError(f"not the id of a stock slice: {slice_id!r}")
    return match[3]


def make(one: StockSlice, central_key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """The signed slice. ``kid`` names ``central_key``."""
    claims = {
        "v": 1,
        "slice": one.id,
        "program": one.program_id,
        "kiosk": one.kiosk,
        "gen": one.gen,
        "quantity": one.quantity,
        "issued": one.issued,
    }
    return cose.sign(cose.encode(claims), central_key, kid, CONTEXT)


def open_slice(data: bytes, keyset: CentralKeys) -> StockSlice:
    """The slice, if one of central's keys signed it and its id says the same as its fields.

    Raises CentralFault ``slice_refused``.
    """
    try:
        return _from_claims(cose.decode(cose.verify(data, keyset.central_key, CONTEXT)))
    except cose.SignedDataFault as fault:
        raise CentralFault("slice_refused", str(fault)) from None


def _from_claims(claims: Any) -> StockSlice:
    if not isinstance(claims, dict) or set(claims) != _KEYS or not _is_count(claims["v"]) or claims["v"] != 1:
        raise cose.SignedDataFault("malformed", "not a stock slice of version 1")
    texts, numbers = ("slice", "program", "kiosk"), ("gen", "quantity", "issued")
    if not all(isinstance(claims[name], str) for name in texts) or not all(
        _is_count(claims[name]) for name in numbers
    ):
        raise cose.SignedDataFault("malformed", "a field of the stock slice")
    match = _ID.fullmatch(claims["slice"])
    if match is None or (match[1], int(match[2]), match[3]) != (
        claims["kiosk"],
        claims["gen"],
        claims["program"],
    ):
        raise cose.SignedDataFault("malformed", "the id of the stock slice says otherwise")
    if not 1 <= claims["quantity"] <= MAX_SLICE:
        raise cose.SignedDataFault("malformed", "the quantity of the stock slice")
    return StockSlice(
        claims["slice"],
        claims["program"],
        claims["kiosk"],
        claims["gen"],
        claims["quantity"],
        claims["issued"],
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
