"""What a code's content looks like: a printed credential, or one of the codes that people show by mistake."""

from __future__ import annotations

import re

from kiosk.values import QR_PREFIX

MAX_PAYLOAD_BYTES = 4096

_PREFIX = QR_PREFIX.encode("ascii")


def is_ours(content: bytes) -> bool:
    """True for a code with the prefix of a printed credential, whatever follows."""
    return content.startswith(_PREFIX)


def kind_of(content: bytes) -> str:
    """What a code that is not ours looks like: ``web address``, ``payment`` or ``other``. Never the content.

    A payment code begins with the payload format indicator 01 (EMVCo QR, merchant-presented mode, 4.7.1), as
    QRIS codes do.
    """
    if re.match(rb"(?i)\s*(?:https?://|www\.|(?:[a-z0-9-]+\.)+[a-z]{2,}(?:[/?#:]|\s*$))", content):
        return "web address"
    return "payment" if content.startswith(b"000201") else "other"
