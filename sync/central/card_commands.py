"""``kmc-central card``: cards from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

from kiosk.errors import OfficerFault
from kiosk.values import Grade, Mode
from sync.central import accounts, card_acts, cards
from sync.central.accounts import Signer
from sync.central.card_issue import IssuedCard, virtual_uid
from sync.central.import_format import Chip
from sync.central.state import Central
from sync.wire import to_base64

CHIPS: Final = get_args(Chip)
PROVED_BY: Final = {"p1": CHIPS, "p2": ("DESFire", "NTAG424"), "p3": ("SmartCard",)}
"""Which chips can prove a grade: P2 by EV2First, P3 by the city's profile (docs/card-profile.md)."""
Add = Callable[..., argparse.ArgumentParser]


def register(group: Any, add: Add) -> argparse.ArgumentParser:
    """Adds the commands to ``kmc-central card``; answers the one that issues."""
    issuing = add(group, "issue", issue_one, "issue a holder's next card, or cards for a list of holders")
    issuing.add_argument("holder", type=int, nargs="?", metavar="HOLDER_ID")
    add_chip(issuing)
    add_signer(issuing)
    one = add(group, "replace", _replace, "take a card out of use and issue the next")
    one.add_argument("card_no")
    one.add_argument("--reason", choices=["lost", "stolen", "replaced"], default="replaced")
    add_chip(one)
    add_signer(one)
    one = add(group, "revoke", _revoke, "put a card on the deny list")
    one.add_argument("card_no")
    one.add_argument("--issue", type=int, help="this issue only")
    one.add_argument("--reason", choices=cards.REASONS, default="revoked")
    add_signer(one)
    one = add(group, "list", _list, "list cards")
    one.add_argument("--card-no", default="")
    one.add_argument("--after", default="", metavar="CARD_NO/ISSUE_NO", help="only what is behind this one")
    one.add_argument("--limit", type=int, default=100)
    one = add(group, "history", _history, "what was done with a card, by whom, and whether they signed")
    one.add_argument("card_no")
    return issuing


def add_chip(parser: argparse.ArgumentParser) -> None:
    """The options that say what a card is made of."""
    parser.add_argument("--uid", default="", help="the chip's UID in hex; else a demonstration makes one up")
    parser.add_argument(
        "--unbound",
        action="store_true",
        help="no chip yet: `card write` binds it (production without --uid)",
    )
    parser.add_argument("--chip", choices=CHIPS, default="NTAG215")
    parser.add_argument(
        "--grade",
        choices=tuple(PROVED_BY),
        default="p1",
        help="the least a kiosk must have proved by the chip",
    )


def add_signer(parser: argparse.ArgumentParser) -> None:
    """Who does it; needed in production."""
    parser.add_argument("--account", default="", metavar="NAME", help="who signs; needed in production")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="that account's key")


def signer_of(central: Central, options: argparse.Namespace) -> Signer | None:
    """Who signs for it. Raises OfficerFault ``account_needed``; EnvironmentFault ``key_unreadable``."""
    if options.account and options.key_file:
        return accounts.signer(options.account, options.key_file)
    if options.account or options.key_file or central.mode is Mode.PRODUCTION:
        raise OfficerFault("account_needed", "sign for it by --account NAME --key-file FILE")
    return None


def grade_of(options: argparse.Namespace) -> Grade:
    """The grade that was asked for. Raises OfficerFault ``card_refused`` if that chip cannot prove it."""
    can = PROVED_BY[options.grade]
    if options.chip not in can:
        raise OfficerFault(
            "card_refused", f"{options.chip} cannot prove {options.grade}; only: {', '.join(can)}"
        )
    return Grade.of(options.grade)


def told(made: IssuedCard) -> dict[str, Any]:
    """A card that was issued, for people and other programs."""
    return {
        "card_no": made.card_no,
        "issue_no": made.issue_no,
        "chip": made.chip,
        "uid": made.uid.hex(),
        "nfc": to_base64(made.nfc),
        "qr": made.qr,
        "issued_at": made.issued_at,
        "expires_at": made.expires_at,
    }


def issue_one(central: Central, options: argparse.Namespace) -> Any:
    """``issue HOLDER_ID``."""
    return told(_issue_one(central, options, options.holder, "replaced"))


def _replace(central: Central, options: argparse.Namespace) -> Any:
    holder_id = cards.holder_of(central, options.card_no)
    return told(_issue_one(central, options, holder_id, options.reason))


def _issue_one(central: Central, options: argparse.Namespace, holder_id: int, reason: str) -> IssuedCard:
    if options.uid:
        try:
            uid = bytes.fromhex(options.uid)
        except ValueError:
            raise OfficerFault("card_refused", "a UID is written in hex") from None
    elif central.mode is Mode.DEMONSTRATION and not options.unbound:
        uid = virtual_uid(f"holder {holder_id}", cards.count_of(central, holder_id) + 1, options.chip)
    else:
        uid = b""
    grade, by = grade_of(options), signer_of(central, options)
    return cards.issue(central, holder_id, options.chip, uid, replaces=reason, grade=grade, by=by)


def _revoke(central: Central, options: argparse.Namespace) -> Any:
    by = signer_of(central, options)
    revoked = cards.revoke(central, options.card_no, options.issue, options.reason, by)
    return {"card_no": options.card_no, "revoked": revoked}


def _list(central: Central, options: argparse.Namespace) -> Any:
    return cards.listed(central, options.card_no, options.limit, options.after)


def _history(central: Central, options: argparse.Namespace) -> Any:
    return card_acts.history(central, options.card_no)
