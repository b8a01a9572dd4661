"""New keys for a chip that was handed out with older ones (P2), at the issuing station: pure.

Key by key, the master key last; each gets the version after the master key's. What was cut short is done
again with the same two sets of keys: until the end the chip proves itself by one of them.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.chips.apdu import Transmit
from drivers.chips.ev2_messages import SecureChannel, change_key_data
from drivers.chips.personalise import (
    AUTHENTICATION_NO,
    MASTER_NO,
    MasterKeys,
    authenticated,
    check,
    select,
)
from kiosk.errors import CardFault

_CHANGE_KEY, _KEY_VERSION = 0xC4, 0x64
_LAST_VERSION = 255


def rekey(
    transmit: Transmit,
    uid: bytes,
    old: MasterKeys,
    new: MasterKeys,
    count: int,
    message: bytes,
    random: Callable[[int], bytes],
    *,
    mirrored: bool = False,
) -> bool:
    """Changes the ``count`` keys of a chip from ``old`` to ``new`` and proves the new one as a reader would.

    False if it was done before. ``message`` is what lies on the chip, and stays. Raises CardFault
    ``card_proof_bad`` for a chip with other keys than these, ``card_refused``, ``card_differs``, and what
    ``transmit`` raises.
    """
    channel = _open(transmit, uid, old, random)
    if channel is not None:
        version = channel.with_code(_KEY_VERSION, bytes([MASTER_NO]))[0] % _LAST_VERSION + 1
        for number in range(1, count):
            if channel.with_code(_KEY_VERSION, bytes([number]))[:1] != bytes([version]):
                data = change_key_data(new.of(uid, number), version, old.of(uid, number))
                channel.full(_CHANGE_KEY, bytes([number]), data)
        # Another set of new keys may have been begun with before: the old master key is still good then.
        select(transmit)
        authenticated(transmit, AUTHENTICATION_NO, new.of(uid, AUTHENTICATION_NO), random)
        select(transmit)
        channel = authenticated(transmit, MASTER_NO, old.of(uid, MASTER_NO), random)
        channel.last(_CHANGE_KEY, bytes([MASTER_NO]), change_key_data(new.of(uid, MASTER_NO), version, None))
    check(transmit, uid, new.authentication, message, random, mirrored=mirrored)
    return channel is not None


def _open(
    transmit: Transmit, uid: bytes, old: MasterKeys, random: Callable[[int], bytes]
) -> SecureChannel | None:
    """The session with the old master key; None if all was done before.

    Where neither key is the chip's, ``check`` says so.
    """
    select(transmit)
    try:
        return authenticated(transmit, MASTER_NO, old.of(uid, MASTER_NO), random)
    except CardFault as fault:
        if fault.detail.get("why") != "key":
            raise
    return None
