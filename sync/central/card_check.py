"""Everything that is wrong with a card that was read back: its credential, and against what was issued."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sqlalchemy import select

from kiosk import cose
from kiosk.chip_proof import Challenges, grade_of
from kiosk.credential import (
    CLAIM_EXP,
    CLAIM_IAT,
    CLAIM_ISSUE_NO,
    CLAIM_LEAST_GRADE,
    CLAIM_MEDIUM,
    CLAIM_SUB,
    CLAIM_UID,
    signed_bytes,
    verify,
)
from kiosk.errors import CardFault
from kiosk.keyset import KeyStatus
from kiosk.values import CardRead, ChipProof, Grade, Medium
from sync.central.card_issue import day_seconds
from sync.central.card_station import Seen, Station
from sync.central.cards import ACTIVE
from sync.central.models import card, holder
from sync.central.state import Central

WARN_S: Final = 60 * 86_400
"""A card that expires sooner is named."""
HINTS: Final = ("key_retired", "expires_soon", "not_locked", "not_challenged")
"""Findings that are worth knowing and no reason to refuse the card."""
Finding = dict[str, str]


def examine(
    central: Central, read: CardRead, *, proved: Grade | None = None, locked: bool | None = None
) -> dict[str, Any]:
    """What is wrong with a card, all of it: ``{"card_no", "issue_no", "good", "findings"}``.

    ``proved`` is what the chip proved by a challenge, None if none was run; ``locked`` None if not known.
    """
    findings: list[Finding] = []
    claims = _claims(read)
    judged = proved or Grade.P3
    try:
        verify(read, central.ring.keyset, central.now(), judged)
    except CardFault as fault:
        findings.append({"code": fault.code, "message": fault.message})
    if claims:
        findings += _of_claims(central, read, claims)
        findings += _of_issue(central, read, claims)
        if proved is None and claims.get(CLAIM_LEAST_GRADE) in (Grade.P2.label, Grade.P3.label):
            findings.append(_finding("not_challenged", "the chip was not asked to prove its key"))
    # A chip with keys of its own was closed when it got them, whatever its container says.
    if locked is False and read.medium is Medium.NFC and claims.get(CLAIM_LEAST_GRADE) != Grade.P2.label:
        findings.append(_finding("not_locked", "anybody can write over the chip; it would be refused then"))
    told = {finding["code"]: finding for finding in reversed(findings)}
    listed = list(reversed(told.values()))
    return {
        "card_no": str(claims.get(CLAIM_SUB, "")),
        "issue_no": claims.get(CLAIM_ISSUE_NO, 0),
        "uid": read.uid.hex(),
        "chip": read.chip,
        "good": all(finding["code"] in HINTS for finding in listed),
        "findings": listed,
    }


def signed(central: Central, seen: Seen, station: Station) -> Grade | None:
    """The grade that a chip proves by signing a fresh challenge; None for one without its certificate yet.

    Raises CardFault ``card_proof_bad``.
    """
    challenges = Challenges()
    challenge = challenges.new()
    try:
        certificate, signature = station.sign(challenge)
    except CardFault as fault:
        if fault.code != "card_wrong_kind":
            raise
        return None
    proof = ChipProof(Grade.P3, challenge, certificate, signature)
    read = CardRead(Medium.NFC, seen.payload, seen.uid, seen.chip, proof=proof)
    return grade_of(read, central.ring.keyset, challenges, central.now())


def _claims(read: CardRead) -> dict[int, Any]:
    """The claims as they stand, believed by nobody; empty if there are none."""
    try:
        claims = cose.decode(cose.parse(signed_bytes(read)).payload)
    except (CardFault, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _of_claims(central: Central, read: CardRead, claims: dict[int, Any]) -> list[Finding]:
    """What ``verify`` would only say after the first fault."""
    found: list[Finding] = []
    now = central.now()
    try:
        key = central.ring.keyset.issuer(cose.parse(signed_bytes(read)).kid)
    except (CardFault, ValueError):
        key = None
    if key is None:
        found.append(_finding("card_unknown_key", "no issuer key of the city has signed it"))
    elif key.status is KeyStatus.COMPROMISED:
        found.append(_finding("card_key_compromised", "the key that signed it is compromised: issue it anew"))
    elif key.status is KeyStatus.RETIRED:
        found.append(_finding("key_retired", "the key that signed it is retired; the card holds on"))
    expires, issued_at = claims.get(CLAIM_EXP), claims.get(CLAIM_IAT)
    if isinstance(expires, int) and now >= expires:
        found.append(_finding("card_expired", "past its date"))
    elif isinstance(expires, int) and expires - now < WARN_S:
        found.append(_finding("expires_soon", f"{(expires - now) // 86_400} days left"))
    if isinstance(issued_at, int) and issued_at > now:
        found.append(_finding("card_not_yet_valid", "issued in the future"))
    if claims.get(CLAIM_MEDIUM) != str(read.medium):
        found.append(_finding("card_wrong_medium", f"a {claims.get(CLAIM_MEDIUM)} credential"))
    elif read.medium is Medium.NFC and claims.get(CLAIM_UID) != read.uid:
        found.append(_finding("card_wrong_chip", "the credential was written for another chip"))
    return found


def _of_issue(central: Central, read: CardRead, claims: dict[int, Any]) -> list[Finding]:
    """What does not agree with central's tables."""
    card_no, issue_no = claims.get(CLAIM_SUB), claims.get(CLAIM_ISSUE_NO)
    with central.database.read() as connection:
        query = select(card).where(card.c.card_no == card_no, card.c.issue_no == issue_no)
        row = connection.execute(query).mappings().first()
        query_holder = select(holder.c.issue_no, holder.c.status).where(holder.c.card_no == card_no)
        person = connection.execute(query_holder).first()
    found: list[Finding] = []
    if person is None:
        found.append(_finding("card_unknown_holder", "no holder has this card number"))
    elif person.status != ACTIVE:
        code = "card_deceased" if person.status == "deceased" else "card_blocked"
        found.append(_finding(code, f"the holder is {person.status}"))
    if person is not None and isinstance(issue_no, int) and issue_no < person.issue_no:
        found.append(_finding("card_superseded", f"issue {issue_no} of {person.issue_no}"))
    if row is None:
        return [*found, _finding("card_never_issued", "central has issued no card of that number")]
    if row["status"] != ACTIVE:
        found.append(_finding(f"card_{row['status']}", f"out of use since {row['since']}"))
    if read.medium is Medium.NFC and row["uid"] != read.uid.hex():
        found.append(_finding("card_other_uid", f"issued for chip {row['uid'] or 'none yet'}"))
    if read.medium is Medium.NFC and read.chip and row["chip"] != read.chip:
        found.append(_finding("card_other_kind", f"issued for a {row['chip']}, this is a {read.chip}"))
    if claims.get(CLAIM_EXP) != day_seconds(date.fromisoformat(row["valid_until"])):
        found.append(_finding("card_other_date", f"issued to hold until {row['valid_until']}"))
    if read.medium is Medium.NFC and claims.get(CLAIM_LEAST_GRADE) != row["least_grade"]:
        found.append(_finding("card_other_grade", f"issued with least grade {row['least_grade']}"))
    return found


def _finding(code: str, message: str) -> Finding:
    return {"code": code, "message": message}
