"""``kmc-central card certify``: the certificate of a chip that signs, under the city's card authority (P3).

The chip's key is made in the chip and never leaves it; what comes here is its public half. How the
certificate gets onto the card, its maker's tool says (docs/card-profile.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from sqlalchemy import Connection

from kiosk import card_certificate
from kiosk.card_certificate import CardCertificate
from kiosk.errors import EnvironmentFault, OfficerFault
from sync.central import card_acts, cards, key_files
from sync.central.accounts import Signer
from sync.central.card_acts import Act
from sync.central.card_commands import add_signer, signer_of
from sync.central.state import Central

CERTIFIED: Final = "certified"
Add = Callable[..., argparse.ArgumentParser]


def register(group: Any, add: Add) -> None:
    """Adds the command to ``kmc-central card``."""
    one = add(group, "certify", _certify, "certify the key of a chip that signs (P3)")
    one.add_argument("card_no")
    one.add_argument("--public-key", type=Path, required=True, metavar="FILE", help="PEM, P-256")
    one.add_argument("--file", type=Path, required=True, metavar="FILE", help="where the certificate goes")
    add_signer(one)


def certify(central: Central, card_no: str, public: bytes, by: Signer | None = None) -> bytes:
    """The certificate of the card's active issue for this key (an uncompressed point of P-256).

    It is good as long as that issue. Raises OfficerFault ``unknown_card``, ``card_not_active``,
    ``no_card_authority``, ``card_refused`` for a key that is none, and as ``accounts.sign`` does.
    """
    now = central.now()
    issued = cards.issued(central, card_no)
    authority = key_files.card_authority(central.home, central.ring.keyset, now)
    if authority is None:
        raise OfficerFault("no_card_authority", "make its key first: kmc-central key add --use card_ca")
    claims = CardCertificate(card_no, issued.issue_no, public, now, issued.expires_at)
    try:
        made = card_certificate.make(claims, authority.private, authority.kid)
    except ValueError as fault:
        raise OfficerFault("card_refused", str(fault)) from None
    act = Act(CERTIFIED, card_no, issued.issue_no, issued.uid.hex())
    central.database.write(partial(_record, act, by, now), quiet=True)
    return made


def read_public(path: Path) -> bytes:
    """The public key in a PEM file, as an uncompressed point.

    Raises EnvironmentFault ``key_unreadable``; OfficerFault ``card_refused`` for a key of another kind.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as fault:
        raise EnvironmentFault("key_unreadable", f"{path.name}: {fault.strerror}") from fault
    except ValueError as fault:
        raise OfficerFault("card_refused", f"{path.name} is no public key in PEM") from fault
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OfficerFault("card_refused", f"{path.name} is no key of P-256")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _record(act: Act, by: Signer | None, now: int, connection: Connection) -> None:
    if cards.active_issue(connection, act.card_no) != act.issue_no:
        raise OfficerFault("card_not_active", f"no issue of {act.card_no} is in use")
    card_acts.record(connection, [act], by, now)


def _certify(central: Central, options: argparse.Namespace) -> Any:
    made = certify(central, options.card_no, read_public(options.public_key), signer_of(central, options))
    try:
        options.file.write_bytes(made)
    except OSError as fault:
        raise EnvironmentFault("write_failed", f"{options.file.name}: {fault.strerror}") from fault
    return {"card_no": options.card_no, "file": str(options.file), "bytes": len(made)}
