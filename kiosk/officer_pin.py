"""Officers' PINs: how they are kept, checked, chosen, and how long a wrong one makes one wait.

A PIN has few digits, so a stolen cache must not be enough to guess it: HMAC-SHA-256 (RFC 2104) with a pepper
that only the city's devices hold, and over that Argon2id (RFC 9106), which costs each guess time and memory.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from itertools import pairwise

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import Type

from kiosk.errors import CentralFault, OfficerFault

MIN_DIGITS, MAX_DIGITS = 6, 12
MEMORY_KIB, PASSES, LANES = 19 * 1024, 6, 1
"""OWASP's least memory for Argon2id (19 MiB), and more passes than its two: 0.1 to 0.2 s on a cheap PC."""
FREE_FAILURES = 2
MAX_DELAY_S = 900.0

_HASHER = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID)
_LIMITS = {"memory_cost": 64 * 1024, "time_cost": 10, "parallelism": 4}
_COMMON = frozenset({"112233", "332211", "123321", "102030", "159753", "147258", "147369", "258369"})


def hash_pin(pin: str, username: str, pepper: bytes) -> str:
    """The PIN as it is kept: an Argon2id string (PHC format), bound to that username and pepper (32 bytes).

    Raises OfficerFault as ``check_pin`` does, ValueError for a pepper of another size.
    """
    check_pin(pin)
    return _HASHER.hash(_peppered(pin, username, pepper))


def pin_holds(hashed: str, pin: str, username: str, pepper: bytes) -> bool:
    """True if ``hashed`` was made of this PIN, username and pepper (32 bytes).

    Raises CentralFault ``officer_damaged`` for a string that is no Argon2id hash or asks for more than
    64 MiB, 10 passes or 4 lanes; ValueError for a pepper of another size.
    """
    _check_cost(hashed)
    try:
        return _HASHER.verify(hashed, _peppered(pin, username, pepper))
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError) as fault:
        raise CentralFault("officer_damaged", type(fault).__name__) from None


def check_pin(pin: str) -> None:
    """Refuses a PIN that is no PIN or too easy to guess.

    Raises OfficerFault ``pin_not_digits``, ``pin_length`` (6 to 12 digits), ``pin_too_simple`` (one digit
    or pair or triple repeated, a run such as 123456 or 9876543210, or a widely used pattern).
    """
    if not (pin.isascii() and pin.isdigit()):
        raise OfficerFault("pin_not_digits", "digits only")
    if not MIN_DIGITS <= len(pin) <= MAX_DIGITS:
        raise OfficerFault(
            "pin_length", f"{MIN_DIGITS} to {MAX_DIGITS} digits", least=MIN_DIGITS, most=MAX_DIGITS
        )
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    repeated = any(pin == (pin[:size] * len(pin))[: len(pin)] for size in (1, 2, 3))
    if repeated or steps in ({1}, {9}) or pin in _COMMON:
        raise OfficerFault("pin_too_simple", "too easy to guess")


def delay_after(failures: int) -> float:
    """Seconds to wait after that many wrong PINs in a row: none for two, then 2, 4, 8 … at most 900."""
    if failures <= FREE_FAILURES:
        return 0.0
    return min(MAX_DELAY_S, 2.0 ** min(failures - FREE_FAILURES, 10))


def _peppered(pin: str, username: str, pepper: bytes) -> bytes:
    if len(pepper) != 32:
        raise ValueError("the pepper has 32 bytes")
    name = unicodedata.normalize("NFC", username).lower().encode("utf-8")
    # The length keeps the name "a" with the PIN "1…" apart from the name "a1" with the PIN "…".
    message = len(name).to_bytes(2, "big") + name + pin.encode("utf-8", "surrogatepass")
    return hmac.digest(pepper, message, hashlib.sha256)


def _check_cost(hashed: str) -> None:
    """Refuses a hash that would cost the kiosk more memory or time than it has."""
    try:
        asked = argon2.extract_parameters(hashed)
    except (InvalidHashError, ValueError, IndexError) as fault:
        raise CentralFault("officer_damaged", type(fault).__name__) from None
    if asked.type is not Type.ID or any(getattr(asked, name) > most for name, most in _LIMITS.items()):
        raise CentralFault("officer_damaged", "a hash of another kind or cost")
    if asked.hash_len != _HASHER.hash_len:
        raise CentralFault("officer_damaged", "a hash of another length")
