"""Every parser that meets a card, each as one function of bytes that must raise nothing.

A target runs its parser on bytes that a stranger chose and lets CardFault pass; anything else, and a card
that is believed without being genuine, gets out and is a finding. The first byte of a fuzzed input names the
target (``KEYS``), so that one corpus serves all.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping

import base45
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.chip_prover import Prover
from drivers.chips import card_profile, ev2, ndef, originality, passthrough, pcsc_atr, type2, type3, type4
from drivers.chips.identify import Chip, Family, identify_type_a, identify_type_b, identify_type_f
from drivers.chips.personalise import MasterKeys
from drivers.commands import parse_command
from drivers.lines import encode_event, parse_event
from drivers.reader import Faulted
from drivers.write_orders import parse_order
from drivers.write_tags import Type2Writer, Type4Writer
from kiosk import chip_proof, cose
from kiosk.credential import MAX_PAYLOAD, issue, verify
from kiosk.errors import CardFault
from kiosk.keyset import Key, KeySet, KeyUse
from kiosk.values import CardRead, ChipProof, Grade, Medium

NOW = 1_780_000_000
UID = bytes.fromhex("04a1b2c3d4e580")
ISSUER = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
AUTHORITY = Ed25519PrivateKey.from_private_bytes(b"\x04" * 32)
KEYSET = KeySet(
    NOW,
    tuple(
        Key(kid, use, key.public_key().public_bytes_raw(), NOW - 10**7, NOW + 10**7)
        for kid, use, key in ((b"i", KeyUse.ISSUER, ISSUER), (b"a", KeyUse.CARD_CA, AUTHORITY))
    ),
)
CHIP = issue(ISSUER, b"i", "KMC-000123", 1, NOW - 5000, NOW + 10**6, Medium.NFC, UID)
PRINTED = issue(ISSUER, b"i", "KMC-000123", 1, NOW - 5000, NOW + 10**6, Medium.QR)
"""The genuine ones, of which every other input must differ to be refused."""

MOST_ANSWERS = 5000

Target = Callable[[bytes], None]


class Believed(AssertionError):
    """Something that the issuer never made was taken for a card."""


def _verify(read: CardRead, genuine: bool) -> None:
    try:
        verify(read, KEYSET, NOW, Grade.P3)
    except CardFault:
        return
    if not genuine:
        raise Believed(read)


def ndef_message(data: bytes) -> None:
    """An NDEF message off a card."""
    for parse in (ndef.credential_payload, ndef.sun_mirror):
        _faults(lambda parse=parse: parse(data))  # type: ignore[misc]


def chip(data: bytes) -> None:
    """The payload of the credential's record."""
    _verify(CardRead(Medium.NFC, data, UID), data == CHIP)


def claims(data: bytes) -> None:
    """CBOR that the issuer signed: what comes behind the signature."""
    try:
        signed = cose.sign(data, ISSUER, b"i")
    except ValueError:
        return
    # The issuer may say what it likes of this chip; kinds and ranges decide.
    _verify(CardRead(Medium.NFC, signed, UID), genuine=True)
    _verify(CardRead(Medium.QR, b"KMC1:" + base45.b45encode(zlib.compress(signed))), genuine=True)


def code(data: bytes) -> None:
    """The text of a QR code, its prefix put before it."""
    _verify(CardRead(Medium.QR, b"KMC1:" + data), genuine=_inflates_to_genuine(data))


def stream(data: bytes) -> None:
    """The zlib stream in a code."""
    text = base45.b45encode(data)
    _verify(CardRead(Medium.QR, b"KMC1:" + text), genuine=_inflates_to_genuine(text))


def inflated(data: bytes) -> None:
    """What the stream of a code holds."""
    text = base45.b45encode(zlib.compress(data))
    _verify(CardRead(Medium.QR, b"KMC1:" + text), genuine=data == PRINTED)


def _inflates_to_genuine(text: bytes) -> bool:
    if len(text) > MAX_PAYLOAD:
        return False
    try:
        return zlib.decompressobj().decompress(base45.b45decode(text), 10_000) == PRINTED
    except (ValueError, zlib.error):
        return False


def type2_area(data: bytes) -> None:
    """The memory of a Type 2 tag from its capability container on, as a reader walks it."""
    type2.parse_version(data[:8])

    def walk() -> None:
        size = type2.data_area_bytes(data[:4])
        area = data[4:].ljust(size, b"\x00")
        known = 16
        while (place := type2.find_ndef(area[:known], size)) is None:
            known += 16
            assert known < size + 16, "asks for bytes past the area"
        place.cut(area)

    _faults(walk)


def type3_answers(data: bytes) -> None:
    """A FeliCa polling answer and attribute block."""
    identify_type_f(data)

    def read() -> None:
        ranges = type3.parse_attributes(data[:16]).block_ranges()
        assert sum(len(blocks) for blocks in ranges) <= ndef.MAX_MESSAGE_BYTES // type3.BLOCK_BYTES

    _faults(read)


def type4_answers(data: bytes) -> None:
    """The answers of a Type 4 tag to the reading of its message."""
    send = _Answers(data)
    _faults(lambda: type4.read_message(lambda _: send.split()))


def proof_answers(data: bytes) -> None:
    """The answers of a chip that is asked to prove itself, by its own key and by signing."""
    challenge = bytes(16)
    _faults(lambda: card_profile.run(_Answers(data).whole, challenge))
    _faults(lambda: ev2.authenticate(_Answers(data).whole, 1, bytes(16), bytes(16)))
    prover = Prover(bytes(16), b"f" * 16, random=bytes)
    prover.take_challenge(challenge)
    message = ndef.encode_with_mirror(CHIP, data[:64])
    found = []
    _faults(lambda: found.append(prover.prove(_Answers(data).whole, UID, message)))
    if any(proof is not None and proof.grade is Grade.P2 for proof in found):
        raise Believed("a chip without the key")


def station_answers(data: bytes) -> None:
    """The answers of a chip on the writing station, and orders: nothing is written that was not asked."""
    chip = Chip(Family.TYPE4, "DESFire", UID)
    old, new = MasterKeys(bytes(16), b"a" * 16), MasterKeys(b"b" * 16, b"c" * 16)
    _faults(lambda: Type4Writer(_Answers(data).whole, chip).survey())
    _faults(lambda: Type4Writer(_Answers(data).whole, chip).rekey(old, new, CHIP))
    _faults(lambda: Type4Writer(_Answers(data).whole, chip).personalise(new, CHIP))
    for reader in ("ACR122U", "any"):
        _faults(lambda reader=reader: passthrough.exchange(_Answers(data).whole, reader, b"\x60"))  # type: ignore[misc]
        frames = passthrough.Type2Frames(_Answers(data).whole, reader)
        _faults(lambda frames=frames: Type2Writer(frames, chip).survey())  # type: ignore[misc]
    parse_order(data)


def certificate(data: bytes) -> None:
    """What a chip gave as certificate and signature of its key."""
    size = int.from_bytes(data[:2], "big") % 2048
    challenges = chip_proof.Challenges()
    challenge = challenges.new()
    proof = ChipProof(Grade.P3, challenge, data[2 : 2 + size], data[2 + size :])
    read = CardRead(Medium.NFC, CHIP, UID, proof=proof)
    found: list[Grade] = []
    _faults(lambda: found.append(chip_proof.grade_of(read, KEYSET, challenges, NOW)))
    if found:
        raise Believed("a chip that signed nothing")


def signature(data: bytes) -> None:
    """The answer to READ_SIG, the anticollision and the ATR."""
    if originality.is_original(UID, data) is not False:
        raise Believed("an originality signature")
    for chip in (identify_type_a(data[:2], data[2:3], data[3:]), identify_type_b(data)):
        assert chip.label
    assert pcsc_atr.identify(data, data[:10]).label


def line(data: bytes) -> None:
    """A line of a reader process, or one to it: never raises, and what it says can be said again."""
    event = parse_event(data)
    said = encode_event(event)
    again = parse_event(said)
    assert not (isinstance(again, Faulted) and again.fault.code == "reader_garbled") or _garbled(event)
    json.loads(said)
    parse_command(data)


def _garbled(event: object) -> bool:
    return isinstance(event, Faulted) and event.fault.code == "reader_garbled"


class _Answers:
    """Answers as a chip gives them: each a byte of length and so many bytes, status last; then 9000h."""

    def __init__(self, data: bytes) -> None:
        self._left = self._parts(data)
        self._given = 0

    @staticmethod
    def _parts(data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            yield data[at + 1 : at + 1 + data[at]]
            at += 1 + data[at]

    def whole(self, _: bytes = b"") -> bytes:
        """Data and status."""
        self._given += 1
        assert self._given < MOST_ANSWERS, "asks for ever"
        return next(self._left, b"\x90\x00")

    def split(self) -> tuple[bytes, int]:
        """Data, and status."""
        answer = self.whole().rjust(2, b"\x90")
        return answer[:-2], int.from_bytes(answer[-2:], "big")


def _faults(run: Callable[[], object]) -> None:
    try:
        run()
    except CardFault:
        pass


TARGETS: Mapping[str, Target] = {
    "ndef": ndef_message,
    "chip": chip,
    "claims": claims,
    "code": code,
    "stream": stream,
    "inflated": inflated,
    "type2": type2_area,
    "type3": type3_answers,
    "type4": type4_answers,
    "proof": proof_answers,
    "certificate": certificate,
    "signature": signature,
    "line": line,
    "station": station_answers,
}
KEYS = {bytes([65 + number]): name for number, name in enumerate(TARGETS)}
"""First byte of an input, a capital letter, to target."""


def run(data: bytes) -> None:
    """One fuzzed input: its first byte names the target, any byte one of them."""
    if data:
        name = KEYS.get(data[:1]) or list(TARGETS)[data[0] % len(TARGETS)]
        TARGETS[name](data[1:])
