"""What makes a machine one of the city's kiosks: the enrolment document, the ticket for it, and its file.

The document is a COSE_Sign1 (context ``kmc/enrolment/1``) by central; the kiosk's mode is only ever taken
from it. The file ``enrolment.cbor`` holds it with the keyset, the root keys and central's address.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose, durable_file
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.keyset import MAX_UNIX, KeySet, KeyStanding, open_central, open_keyset
from kiosk.values import Mode

CONTEXT = b"kmc/enrolment/1"
VERSION = 1
FILE_NAME = "enrolment.cbor"
PLACE_METAS: Final = {"point": "enrolled_point", "counter": "enrolled_counter"}
"""Where the ledger keeps the names that central gave at enrolment, for as long as there is no cache."""
MAX_NAME_CHARS: Final = 200
TICKET_PREFIX = "KMCE1:"
"""First characters of a ticket's QR code; a card's begins otherwise."""

_FIELDS = {"v", "kiosk", "gen", "mode", "point", "public", "issued", "incarnation"}
_KIOSK = re.compile(r"[A-Z0-9]{2,8}")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O, U."""
_GROUPS, _GROUP, _FINGERPRINT = 4, 4, 8


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Which kiosk a machine is. ``public`` is its device key, Ed25519, 32 bytes; ``issued`` Unix seconds."""

    kiosk: str
    gen: int
    """Generation, from 1: rises when a kiosk starts anew with an empty journal."""
    mode: Mode
    point: int
    public: bytes
    issued: int
    incarnation: int
    """Of central: rises when central was restored from a backup."""

    @property
    def key_id(self) -> str:
        """The kiosk's name on the wire: ``IRM1.2`` (kiosk and generation)."""
        return f"{self.kiosk}.{self.gen}"


@dataclass(frozen=True, slots=True)
class EnrolmentBundle:
    """All that a kiosk keeps of its enrolment, verified."""

    enrolment: Enrolment
    keyset: KeySet
    """The newest one."""
    roots: tuple[bytes, bytes]
    """Raw public keys, 32 bytes each."""
    central_url: str
    enrolment_bytes: bytes
    keyset_bytes: bytes
    first_keyset_bytes: bytes
    """The one that was in force at enrolment: the document stays checkable when its key goes."""
    standing: KeyStanding
    """Of the enrolment's key in the newest keyset; one that does not hold asks for a new enrolment."""


def make(enrolment: Enrolment, central_key: Ed25519PrivateKey, central_kid: bytes) -> bytes:
    """A signed enrolment document. Raises ValueError for one that ``open_enrolment`` would refuse."""
    payload = {
        "v": VERSION,
        "kiosk": enrolment.kiosk,
        "gen": enrolment.gen,
        "mode": str(enrolment.mode),
        "point": enrolment.point,
        "public": enrolment.public,
        "issued": enrolment.issued,
        "incarnation": enrolment.incarnation,
    }
    _read(payload)
    return cose.sign(cose.encode(payload), central_key, central_kid, CONTEXT)


def open_enrolment(data: bytes, keyset: KeySet) -> Enrolment:
    """The enrolment in ``data``, signed by a central key that was in force then.

    Raises CentralFault ``enrolment_refused``; its detail ``why`` says what does not hold.
    """
    try:
        payload, key = open_central(data, keyset, CONTEXT)
        enrolment = _read(cose.decode(payload))
    except CentralFault as fault:
        raise CentralFault("enrolment_refused", fault.message, **fault.detail) from None
    except ValueError as fault:
        raise CentralFault("enrolment_refused", str(fault), why="content") from None
    standing = key.standing(enrolment.issued)
    if not standing.holds:
        raise CentralFault("enrolment_refused", "the key was not in force", why=str(standing))
    return enrolment


def make_ticket(root1_public: bytes) -> str:
    """A new one-time enrolment code ``XXXX-XXXX-XXXX-XXXX-FFFFFFFF``.

    Eighty random bits, then the first 8 hex digits of the SHA-256 of the root key (raw, 32 bytes) that signs
    the city's keysets at the time: root key 1 unless that was compromised.
    """
    groups = ["".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS)]
    return "-".join([*groups, _fingerprint(root1_public)])


def normalise_ticket(typed: str) -> str:
    """The ticket as it was made, from what somebody typed: any case, O for 0, I and L for 1, any grouping.

    Raises ValueError if it cannot be a ticket.
    """
    plain = re.sub(r"[\s\-\u2010-\u2015]", "", typed).upper().translate(str.maketrans("OIL", "011"))
    random, fingerprint = plain[: _GROUPS * _GROUP], plain[_GROUPS * _GROUP :]
    if len(plain) != _GROUPS * _GROUP + _FINGERPRINT or set(random) - set(_ALPHABET):
        raise ValueError("not an enrolment ticket")
    if set(fingerprint) - set("0123456789ABCDEF"):
        raise ValueError("not an enrolment ticket")
    groups = [random[at : at + _GROUP] for at in range(0, len(random), _GROUP)]
    return "-".join([*groups, fingerprint])


def ticket_as_code(ticket: str) -> str:
    """What a QR code of the ticket says; only characters of QR's alphanumeric mode."""
    return TICKET_PREFIX + ticket


def ticket_of_code(content: str) -> str:
    """The ticket in a QR code. Raises ValueError for any other code."""
    if not content.startswith(TICKET_PREFIX):
        raise ValueError("not the code of an enrolment ticket")
    return normalise_ticket(content.removeprefix(TICKET_PREFIX))


def ticket_fingerprint_holds(ticket: str, root1_public: bytes) -> bool:
    """True if ``root1_public`` (raw, 32 bytes) is the root key the ticket was made for."""
    try:
        normal = normalise_ticket(ticket)
    except ValueError:
        return False
    return normal.rsplit("-", 1)[1] == _fingerprint(root1_public)


def first_keyset(ticket: str, keyset: bytes, roots: tuple[bytes, bytes]) -> KeySet:
    """The keyset that central hands to a machine which knows nothing of the city but its ticket.

    Only the first root key is named by the ticket, so it alone may have signed here: whoever stands between
    could put his own second root beside the city's first one. The answer that brought the roots is then
    believed by a central key of this keyset. Raises CentralFault ``central_foreign``, ``keyset_refused``.
    """
    if not ticket_fingerprint_holds(ticket, roots[0]):
        raise CentralFault("central_foreign", "this is not the central that made the ticket")
    return open_keyset(keyset, (roots[0], roots[0]))


def save(
    home: Path,
    enrolment: bytes,
    keyset: bytes,
    roots: tuple[bytes, bytes],
    central_url: str,
    *,
    device: bytes,
) -> EnrolmentBundle:
    """Verifies an enrolment of ``device`` (public key, 32 bytes) and writes it, durable before it returns.

    Raises CentralFault ``keyset_refused``, ``enrolment_refused`` (detail ``why`` is ``another_device`` for
    one of another key); EnvironmentFault ``write_failed``.
    """
    if open_enrolment(enrolment, open_keyset(keyset, roots)).public != device:
        raise CentralFault("enrolment_refused", "central enrolled another key", why="another_device")
    return _write(home, enrolment, keyset, keyset, roots, central_url)


def save_keyset(home: Path, bundle: EnrolmentBundle, keyset: bytes) -> EnrolmentBundle:
    """Puts a newer keyset in the place of the bundle's, durable before it returns.

    A keyset that declares the enrolment's own key compromised is taken too: ``standing`` then says so.
    Raises CentralFault ``keyset_refused`` (detail ``why`` is ``older`` for one that is not newer);
    EnvironmentFault ``write_failed``.
    """
    if not open_keyset(keyset, bundle.roots, bundle.keyset).replaces(bundle.keyset):
        raise CentralFault("keyset_refused", "not newer than the one in force", why="older")
    first = bundle.first_keyset_bytes
    return _write(home, bundle.enrolment_bytes, first, keyset, bundle.roots, bundle.central_url)


def load(home: Path) -> EnrolmentBundle | None:
    """The enrolment of this machine, verified anew; None if it has none.

    Raises EnvironmentFault ``enrolment_damaged``: call the technician, the kiosk must be enrolled again.
    """
    try:
        data = (home / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise EnvironmentFault("enrolment_damaged", str(fault.strerror), why="unreadable") from fault
    try:
        return _read_file(data)
    except CentralFault as fault:
        why = fault.detail.get("why", "")
        raise EnvironmentFault("enrolment_damaged", fault.message, why=f"{fault.code}: {why}") from None
    except ValueError as fault:
        raise EnvironmentFault("enrolment_damaged", str(fault), why="file") from None


def _write(
    home: Path, enrolment: bytes, first: bytes, newest: bytes, roots: tuple[bytes, bytes], url: str
) -> EnrolmentBundle:
    bundle = _verified(enrolment, first, newest, roots, url)
    body = cose.encode([VERSION, enrolment, first, newest, list(roots), url])
    if len(body) > cose.MAX_BYTES:
        raise CentralFault("keyset_refused", "too large to keep", why="oversized")
    durable_file.replace(home / FILE_NAME, hashlib.sha256(body).digest() + body)
    return bundle


def _read_file(data: bytes) -> EnrolmentBundle:
    """Of a file: SHA-256 of the rest, then a CBOR list. Raises ValueError, CentralFault."""
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError("the file does not match its checksum")
    match cose.decode(data[32:]):
        case [
            version,
            bytes(enrolment),
            bytes(first),
            bytes(newest),
            [bytes(root1), bytes(root2)],
            str(url),
        ] if version == VERSION and version is not True:
            return _verified(enrolment, first, newest, (root1, root2), url)
        case _:
            raise ValueError("not an enrolment file of this version")


def _verified(
    enrolment: bytes, first: bytes, newest: bytes, roots: tuple[bytes, bytes], url: str
) -> EnrolmentBundle:
    if roots[0] == roots[1]:
        raise CentralFault("keyset_refused", "two different root keys are needed", why="roots")
    opened = open_enrolment(enrolment, open_keyset(first, roots))
    keyset = open_keyset(newest, roots)
    standing = keyset.central_standing(cose.parse(enrolment).kid, opened.issued)
    return EnrolmentBundle(opened, keyset, roots, url, enrolment, newest, first, standing)


def _fingerprint(root1_public: bytes) -> str:
    return hashlib.sha256(root1_public).hexdigest()[:_FINGERPRINT].upper()


def _read(payload: Any) -> Enrolment:
    if not isinstance(payload, Mapping) or set(payload) != _FIELDS:
        raise ValueError("not an enrolment")
    if not _whole(payload["v"]) or payload["v"] != VERSION:
        raise ValueError("a version of the enrolment this program does not know")
    kiosk, public, mode = payload["kiosk"], payload["public"], payload["mode"]
    if not isinstance(kiosk, str) or not _KIOSK.fullmatch(kiosk):
        raise ValueError("kiosk id")
    if not isinstance(public, bytes) or len(public) != 32:
        raise ValueError("device key")
    if not isinstance(mode, str) or mode not in ("production", "demonstration"):
        raise ValueError("mode")
    numbers = [payload[name] for name in ("gen", "point", "issued", "incarnation")]
    if not all(_whole(number) for number in numbers) or payload["gen"] < 1 or payload["point"] < 1:
        raise ValueError("a number out of range")
    gen, point, issued, incarnation = numbers
    return Enrolment(kiosk, gen, Mode(mode), point, public, issued, incarnation)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_UNIX
