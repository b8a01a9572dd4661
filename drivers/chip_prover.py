"""What a chip can prove beyond its content: P2 with the key this process holds, P3 by the kiosk's challenge.

The same over every transport: ``transmit`` sends APDUs to the chip, whose NDEF application is selected.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from drivers.chips import card_profile, ev2, sdm
from drivers.chips.an10922 import card_key
from drivers.chips.apdu import Transmit
from drivers.chips.ndef import sun_mirror
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import ChipProof, Grade

KEY_NO = 1
"""Number of the key that only authenticates: no file of the chip may be read or written with it."""
CREDENTIAL = "card-auth-key"
"""Name of the key among a service's credentials (systemd.exec, LoadCredential=)."""
_OF_ANOTHER_KEY = ("key", "sun")
"""Why a proof failed that may hold under the key before."""
_UID_BYTES = 7
"""NXP's chips with a fixed UID; a key is never derived for a random one."""


class Prover:
    """Proves one card after the other, within one thread: P2 needs a key, P3 a challenge.

    ``masters`` are the authentication keys (16 bytes) that cards' own are derived from: the newest first,
    behind it the one of cards that still have to be given it.
    """

    def __init__(self, *masters: bytes, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._masters = masters
        self._random = random
        self._challenge = b""

    def take_challenge(self, value: bytes) -> None:
        """The next chip that can sign, signs this."""
        self._challenge = value

    def prove(self, transmit: Transmit | None, uid: bytes, message: bytes) -> ChipProof | None:
        """What the chip with this UID and NDEF message proved; None if it can prove nothing asked for here.

        Raises CardFault card_proof_bad, and what ``transmit`` raises.
        """
        if transmit is None:
            return None
        counter: int | None = None
        for place, master in enumerate(self._masters if len(uid) == _UID_BYTES else (), 1):
            try:
                proved, counter = self._prove_key(transmit, uid, message, master)
            except CardFault as fault:
                if fault.detail.get("why") not in _OF_ANOTHER_KEY or place == len(self._masters):
                    raise
                continue
            if proved:
                return ChipProof(Grade.P2, counter=counter)
            break
        if self._challenge:
            signed = card_profile.run(transmit, self._challenge)
            if signed is not None:
                challenge, self._challenge = self._challenge, b""
                return ChipProof(Grade.P3, challenge, *signed, counter=counter)
        return None if counter is None else ChipProof(Grade.P1, counter=counter)

    def _prove_key(
        self, transmit: Transmit, uid: bytes, message: bytes, master: bytes
    ) -> tuple[bool, int | None]:
        """Whether the chip proved the key derived from ``master``, and the counter of its message.

        False for a chip without such keys. Raises CardFault card_proof_bad for one with another key.
        """
        key = card_key(master, uid)
        mirror = sun_mirror(message)
        counter = sdm.check_mirror(key, uid, mirror) if mirror else None
        return ev2.authenticate(transmit, KEY_NO, key, self._random(16)) is not None, counter


def find_key_file(named: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file ``named``, else CREDENTIAL among what the service manager handed over, if it did."""
    if named:
        return Path(named)
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    handed = Path(folder, CREDENTIAL)
    return handed if folder and handed.exists() else None


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The authentication keys in a file, one or two: 32 hexadecimal digits a line, the newest first.

    Raises EnvironmentFault ``card_key_missing`` or ``card_key_malformed``; neither tells what is in the file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(100)
    except OSError as fault:
        raise EnvironmentFault(
            "card_key_missing",
            f"{path}: {fault.strerror}. Hand the key over as a credential.",
            file=str(path),
        ) from None
    if not re.fullmatch(rb"[0-9A-Fa-f]{32}(\r?\n[0-9A-Fa-f]{32})?\r?\n?", content):
        raise EnvironmentFault(
            "card_key_malformed",
            f"{path} does not hold 32 hexadecimal digits, on one line or on two",
            file=str(path),
        )
    return tuple(bytes.fromhex(line.decode("ascii")) for line in content.split())


def read_key_file(path: Path) -> bytes:
    """The one key in a file. Raises as ``read_keys``; two of them are ``card_key_malformed``."""
    first, *more = read_keys(path)
    if more:
        raise EnvironmentFault("card_key_malformed", f"{path} holds two keys", file=str(path))
    return first
