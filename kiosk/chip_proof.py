"""What a chip proved of itself, as a grade: challenges of this kiosk, each good once, and what signed them.

P2 is the word of the reader process, which runs the challenge with a key of its own. P3 is checked here.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping

from kiosk import cose
from kiosk.card_certificate import CertificateFault, open_certificate
from kiosk.credential import CLAIM_ISSUE_NO, CLAIM_SUB
from kiosk.errors import CardFault
from kiosk.keyset import KeySet
from kiosk.values import CardRead, ChipProof, Grade, Medium

CHALLENGE_BYTES = 16
MOST_OPEN = 4
"""Challenges of one reader that may be answered; it uses the newest, which may cross an answer on its way."""
RENEW_S = 20.0
"""A reader that nobody taps is given another one so often."""
LONGEST_OPEN_S = 60.0
"""An answer that comes later may have been asked of a card that lay somewhere else since. It leaves a reader
that does not take commands for a moment two more of its RENEW_S.
"""


def _boot_time_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Challenges:
    """The challenges this kiosk gave out and nobody has answered yet. Any thread may use it."""

    def __init__(self, clock: Callable[[], float] = _boot_time_s) -> None:
        """``clock`` tells seconds that never go back, nor stand still while the machine sleeps."""
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, list[tuple[float, bytes]]] = {}

    def new(self, reader: str = "") -> bytes:
        """CHALLENGE_BYTES fresh random bytes for a reader; its oldest of more than MOST_OPEN is forgotten."""
        value = secrets.token_bytes(CHALLENGE_BYTES)
        with self._lock:
            self._open[reader] = [*self._open.get(reader, []), (self._clock(), value)][-MOST_OPEN:]
        return value

    def wanted(self, reader: str = "") -> bool:
        """True if the newest one of this reader is RENEW_S old, or there is none."""
        with self._lock:
            given = self._open.get(reader)
            return not given or self._clock() - given[-1][0] >= RENEW_S

    def spend(self, value: bytes) -> float | None:
        """How many seconds ago this challenge was given out; it is used up by that.

        None if it was not given out, or answered before.
        """
        with self._lock:
            for values in self._open.values():
                for place, (given_at, known) in enumerate(values):
                    if known == value:
                        del values[place]
                        return self._clock() - given_at
        return None


def grade_of(read: CardRead, keyset: KeySet, challenges: Challenges, now: int) -> Grade:
    """What is proved of the medium in ``read`` at ``now`` (Unix seconds), beside its credential.

    P0 for anything but a chip, P1 for a chip that proved nothing. Raises CardFault ``card_proof_bad``; its
    detail ``why`` is ``challenge`` (not ours, or answered before), ``late`` (older than LONGEST_OPEN_S),
    ``card`` (the certificate is of another card), ``signature``, or as ``open_certificate`` says.
    """
    if read.medium is not Medium.NFC:
        return Grade.P0
    proof = read.proof
    if proof is None or proof.grade < Grade.P2:
        return Grade.P1
    if proof.grade is Grade.P3:
        _check_signed(read, proof, keyset, challenges, now)
    return proof.grade


def _check_signed(read: CardRead, proof: ChipProof, keyset: KeySet, challenges: Challenges, now: int) -> None:
    age_s = challenges.spend(proof.challenge)
    if age_s is None:
        raise CardFault("card_proof_bad", "not a challenge that is open here", why="challenge")
    if age_s > LONGEST_OPEN_S:
        raise CardFault("card_proof_bad", f"a challenge of {age_s:.0f} s ago", why="late")
    try:
        certificate = open_certificate(proof.certificate, keyset, now)
        certificate.check(proof.challenge, proof.signature)
    except CertificateFault as fault:
        raise CardFault("card_proof_bad", fault.message, why=fault.why) from None
    if (certificate.card_no, certificate.issue_no) != _named(read.payload):
        raise CardFault("card_proof_bad", "the certificate is of another card", why="card")


def _named(payload: bytes) -> tuple[object, object]:
    """Card and issue that the credential names; whether it holds is for ``credential.verify`` to say."""
    try:
        claims = cose.decode(cose.parse(payload).payload)
    except cose.SignedDataFault:
        return None, None
    if not isinstance(claims, Mapping):
        return None, None
    return claims.get(CLAIM_SUB), claims.get(CLAIM_ISSUE_NO)
