"""``kmc-central card adopt`` and ``officer badge``: cards from before this system, and officers' badges."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from kiosk.errors import OfficerFault
from kiosk.values import Mode
from sync.central import adoptions, officer_badges
from sync.central.card_commands import add_chip, add_signer, grade_of, signer_of, told
from sync.central.card_issue import virtual_uid
from sync.central.state import Central

Add = Callable[..., argparse.ArgumentParser]


def register(cards: Any, officers: Any, add: Add) -> None:
    """Adds the commands to the groups ``card`` and ``officer``."""
    one = add(cards, "adopt", _adopt, "bind a card from before this system to a holder, or take that back")
    one.add_argument("card_no", nargs="?", default="", help="the holder's card number")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--uid", default="", help="the old card's UID in hex")
    which.add_argument("--number", default="", help="the number printed on the old card")
    one.add_argument("--checked", action="store_true", help="person and KTP were compared")
    one.add_argument("--revoke", action="store_true", help="it is nobody's any more")
    add_signer(one)
    one = add(cards, "adopted", _adopted, "cards from before this system that are bound")
    one.add_argument("--after", default="", metavar="ID", help="only what comes behind this one")
    one.add_argument("--limit", type=int, default=100)
    one = add(officers, "badge", _badge, "issue an officer's next badge, or take it away")
    one.add_argument("username")
    one.add_argument("--optional", action="store_true", help="the PIN alone is enough too")
    one.add_argument("--withdraw", action="store_true", help="the PIN alone from now on")
    add_chip(one)
    add_signer(one)


def _adopt(central: Central, options: argparse.Namespace) -> Any:
    kind = "uid" if options.uid else "number"
    value = options.uid or options.number
    by = signer_of(central, options)
    if options.revoke:
        return adoptions.revoke(central, kind, value)
    if not options.card_no:
        raise OfficerFault("unknown_card", "name the holder by the card number")
    if not options.checked:
        raise OfficerFault("identity_unchecked", "compare person and KTP, then say so by --checked")
    return adoptions.adopt(central, options.card_no, kind, value, by.name if by else "")


def _adopted(central: Central, options: argparse.Namespace) -> Any:
    return adoptions.listed(central, options.after, options.limit)


def _badge(central: Central, options: argparse.Namespace) -> Any:
    by = signer_of(central, options)
    if options.withdraw:
        return officer_badges.withdraw(central, options.username, by)
    if options.uid:
        try:
            uid = bytes.fromhex(options.uid)
        except ValueError:
            raise OfficerFault("card_refused", "a UID is written in hex") from None
    elif central.mode is Mode.DEMONSTRATION:
        uid = virtual_uid(f"officer {options.username}", 1, options.chip)
    else:
        raise OfficerFault("card_refused", "name the chip by --uid")
    made = officer_badges.issue(
        central,
        options.username,
        options.chip,
        uid,
        required=not options.optional,
        grade=grade_of(options),
        by=by,
    )
    return {"username": options.username, "required": not options.optional} | told(made)
