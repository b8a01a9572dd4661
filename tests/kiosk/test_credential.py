"""Card credentials: issued, read from either medium, and refused each for its own reason."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import base45
import cwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose, credential
from kiosk.credential import VerifiedCard
from kiosk.errors import CardFault
from kiosk.values import CardRead, ChipProof, Grade, Medium
from tests.kiosk.city import CITY, NOW, UID, YEAR, shown, tapped

QR_ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
NTAG215_BYTES = 504

CHIP_CLAIMS: dict[Any, Any] = {
    1: "metrokota.go.id",
    2: "KMC-000123",
    4: NOW + YEAR,
    6: NOW - 5000,
    -65537: 2,
    -65538: "nfc",
    -65539: UID,
    -65540: "p1",
}
QR_CLAIMS: dict[Any, Any] = {
    key: value for key, value in CHIP_CLAIMS.items() if key not in (-65539, -65540)
} | {-65538: "qr"}


def signed(
    claims: Any, key: Ed25519PrivateKey = CITY.issuer, kid: bytes = b"i-now", context: bytes = b""
) -> bytes:
    """Whatever the claims, with a signature that holds."""
    return cose.sign(cose.encode(claims), key, kid, context)


def qr(data: bytes) -> CardRead:
    return shown(credential.to_qr(data))


def code_of(read: CardRead, now: int = NOW, proved: Grade = Grade.P1) -> str:
    with pytest.raises(CardFault) as raised:
        credential.verify(read, CITY.keyset, now, proved)
    return raised.value.code


def test_a_chip_is_read_at_p1() -> None:
    assert credential.verify(tapped(CITY.chip()), CITY.keyset, NOW) == VerifiedCard(
        "KMC-000123", 2, Grade.P1, Medium.NFC, NOW - 5000, NOW + YEAR, b"i-now"
    )


def test_a_qr_code_is_read_at_p0_whatever_was_proved() -> None:
    for proved in Grade:
        card = credential.verify(qr(CITY.printed()), CITY.keyset, NOW, proved)
        assert card == VerifiedCard("KMC-000123", 2, Grade.P0, Medium.QR, NOW - 5000, NOW + YEAR, b"i-now")


@pytest.mark.parametrize(
    ("proved", "grade"),
    [
        (Grade.TYPED, Grade.P1),
        (Grade.P0, Grade.P1),
        (Grade.P1, Grade.P1),
        (Grade.P2, Grade.P2),
        (Grade.P3, Grade.P3),
    ],
)
def test_a_chip_is_graded_by_what_its_challenge_proved(proved: Grade, grade: Grade) -> None:
    assert credential.verify(tapped(CITY.chip()), CITY.keyset, NOW, proved).grade is grade


@pytest.mark.parametrize(
    ("least", "proved", "holds"),
    [
        (Grade.P1, Grade.P1, True),
        (Grade.P2, Grade.P1, False),
        (Grade.P2, Grade.P2, True),
        (Grade.P3, Grade.P2, False),
        (Grade.P3, Grade.P3, True),
    ],
)
def test_a_chip_whose_challenge_was_not_run_is_a_downgrade(least: Grade, proved: Grade, holds: bool) -> None:
    read = tapped(CITY.chip(least=least))
    if holds:
        assert credential.verify(read, CITY.keyset, NOW, proved).grade is proved
    else:
        assert code_of(read, proved=proved) == "card_downgrade"


def test_the_credentials_fit_their_media() -> None:
    assert len(CITY.chip("A" * 40, 2**31 - 1)) + len("metrokota.go.id:kmc") + 20 <= NTAG215_BYTES
    text = credential.to_qr(CITY.printed())
    assert text.startswith("KMC1:")
    assert set(text) <= QR_ALPHANUMERIC
    assert len(text) <= 300  # QR version 11 at error correction M holds 366 alphanumeric characters


def test_another_library_reads_the_claims_and_believes_the_signature() -> None:
    key = cwt.COSEKey.from_jwk(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": "i-now",
            "alg": "EdDSA",
            "use": "sig",
            "x": _base64url(CITY.issuer.public_key().public_bytes_raw()),
        }
    )
    reader = cwt.COSE.new(kid_auto_inclusion=False, alg_auto_inclusion=False)

    assert cose.decode(reader.decode(CITY.chip(), key)) == CHIP_CLAIMS
    assert cose.decode(reader.decode(CITY.printed(), key)) == QR_CLAIMS
    assert cwt.CWT.new().decode(CITY.chip(expires_at=2**33), key) == CHIP_CLAIMS | {4: 2**33}
    with pytest.raises(cwt.VerifyError):
        reader.decode(_resigned_badly(CITY.chip()), key)


def test_what_another_library_signed_is_read_here() -> None:
    key = cwt.COSEKey.from_jwk(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": "i-now",
            "alg": "EdDSA",
            "use": "sig",
            "x": _base64url(CITY.issuer.public_key().public_bytes_raw()),
            "d": _base64url(CITY.issuer.private_bytes_raw()),
        }
    )
    made = cwt.COSE.new().encode_and_sign(
        cose.encode(CHIP_CLAIMS), key, protected={1: -8, 4: b"i-now"}, unprotected={}
    )

    assert credential.verify(tapped(made), CITY.keyset, NOW).card_no == "KMC-000123"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("GGW", id="above FFFF, of RFC 9285 section 6"),
        pytest.param(":::", id="far above FFFF"),
        pytest.param("BB8A", id="one character too many"),
        pytest.param("::", id="above FF"),
        pytest.param("bb8", id="small letters"),
        pytest.param("BB8\n", id="a line's end"),
        pytest.param("BB\u00c0", id="beyond ASCII"),
        pytest.param("BB8=", id="padding"),
        pytest.param("", id="nothing"),
        pytest.param("\u0662\u0662\u0668", id="digits of another script"),
    ],
)
def test_bad_base45_is_malformed(text: str) -> None:
    assert code_of(shown(("KMC1:" + text).encode("utf-8"))) == "card_malformed"


def test_a_genuine_code_with_anything_after_it_is_malformed() -> None:
    text = credential.to_qr(CITY.printed())
    for more in ("\n", " ", "0", "00", "000", "\x00", "\u00a0"):
        assert code_of(shown((text + more).encode("utf-8"))) == "card_malformed"


@pytest.mark.parametrize(
    "payload",
    [
        b"https://example.org/",
        b"KMC2:AAA",
        b"kmc1:" + b"0" * 30,
        b"\xff\xfe\xfd",
        b"KMC1",
        b" KMC1:",
        b"\x00" * 9,
    ],
)
def test_another_code_is_foreign(payload: bytes) -> None:
    assert code_of(shown(payload)) == "card_foreign"


def test_a_card_with_nothing_on_it_is_empty() -> None:
    assert code_of(tapped(b"")) == "card_empty"
    assert code_of(shown(b"")) == "card_empty"


@pytest.mark.parametrize(
    ("chip", "uid", "code"),
    [
        ("NTAG215", UID, "card_empty"),
        ("DESFire", UID, "card_empty"),
        ("", b"", "card_empty"),
        ("MIFARE Classic 1K", UID[:4], "card_classic"),
        ("MIFARE Classic 4K", UID, "card_classic"),
        ("MIFARE Plus 2K", UID, "card_classic"),
        ("NTAG213", UID, "card_too_small"),
        ("Ultralight EV1", UID, "card_too_small"),
        ("DESFire random UID", b"\x08\x01\x02\x03", "card_random_uid"),
    ],
)
def test_a_card_with_nothing_on_it_is_named_by_its_chip(chip: str, uid: bytes, code: str) -> None:
    assert code in credential.NOTHING_ON_CARD
    assert code_of(CardRead(Medium.NFC, b"", uid, chip)) == code


@pytest.mark.parametrize("grade", [Grade.P1, Grade.P2, Grade.P3])
def test_a_chip_that_is_not_its_makers_is_refused_whatever_it_proved(grade: Grade) -> None:
    read = tapped(CITY.chip())
    for original, holds in ((True, True), (None, True), (False, False)):
        signed_by_maker = replace(read, proof=ChipProof(grade, original=original))
        if holds:
            assert credential.verify(signed_by_maker, CITY.keyset, NOW, grade).grade is grade
        else:
            assert code_of(signed_by_maker, proved=grade) == "card_not_original"


def test_claims_that_are_too_many_are_not_parsed() -> None:
    most = credential.MAX_CLAIMS
    for count, code in ((most - 3, "card_malformed"), (most - 2, "card_oversized"), (3000, "card_oversized")):
        payload = b"\x59" + count.to_bytes(2, "big") + bytes(count)
        assert code_of(tapped(cose.sign(payload, CITY.issuer, b"i-now"))) == code


def test_a_typed_number_is_no_credential() -> None:
    assert code_of(CardRead(Medium.TYPED, CITY.printed())) == "card_wrong_medium"


def test_sizes_are_refused_before_anything_is_parsed() -> None:
    assert code_of(tapped(bytes(credential.MAX_PAYLOAD + 1))) == "card_oversized"
    assert code_of(shown(b"KMC1:" + b"0" * credential.MAX_PAYLOAD)) == "card_oversized"
    assert code_of(tapped(bytes(credential.MAX_PAYLOAD))) == "card_malformed"


def compressed(data: bytes) -> CardRead:
    return shown(b"KMC1:" + base45.b45encode(data))


def test_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(bytes(2_500_000), 9)
    assert len(bomb) * 1.5 < credential.MAX_PAYLOAD
    assert code_of(compressed(bomb)) == "card_oversized"
    assert code_of(compressed(zlib.compress(bytes(credential.MAX_INFLATED + 1), 9))) == "card_oversized"
    assert code_of(compressed(zlib.compress(bytes(credential.MAX_INFLATED), 9))) == "card_malformed"


def test_only_one_whole_zlib_stream_is_read() -> None:
    data = CITY.printed()
    stream = zlib.compress(data, 9)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    gzipped = zlib.compressobj(9, zlib.DEFLATED, 31)
    other = zlib.compressobj(9, zlib.DEFLATED, 15, zdict=b"metrokota.go.id")
    for bad in (
        stream + b"\x00",
        stream + stream,
        stream[:-1],
        stream[:-4] + bytes(4),
        raw.compress(data) + raw.flush(),
        gzipped.compress(data) + gzipped.flush(),
        other.compress(data) + other.flush(),
        data,
        b"x",
    ):
        assert code_of(compressed(bad)) == "card_malformed"
    # However it was compressed, what is signed is the same.
    assert credential.verify(compressed(zlib.compress(data, 0)), CITY.keyset, NOW).issue_no == 2


def test_a_card_of_a_key_nobody_knows_is_refused() -> None:
    assert code_of(tapped(signed(CHIP_CLAIMS, CITY.stranger, b"i-xyz"))) == "card_unknown_key"


def test_a_card_signed_by_another_key_is_refused() -> None:
    for key in (CITY.stranger, CITY.central, CITY.root1, CITY.retired_issuer):
        assert code_of(tapped(signed(CHIP_CLAIMS, key))) == "card_bad_signature"


def test_centrals_key_issues_no_cards() -> None:
    assert code_of(tapped(signed(CHIP_CLAIMS, CITY.central, b"c-now"))) == "card_unknown_key"


def test_a_document_signed_for_another_purpose_is_no_card() -> None:
    assert code_of(tapped(signed(CHIP_CLAIMS, context=b"kmc/grant/1"))) == "card_bad_signature"


def test_a_compromised_key_holds_no_card_however_old() -> None:
    for issued_at in (NOW - 5000, NOW - YEAR + 1):
        claims = CHIP_CLAIMS | {6: issued_at}
        assert code_of(tapped(signed(claims, CITY.stolen_issuer, b"i-bad"))) == "card_key_compromised"
    # Said before the signature is looked at: the words are about the key.
    assert code_of(tapped(signed(CHIP_CLAIMS, CITY.stranger, b"i-bad"))) == "card_key_compromised"


@pytest.mark.parametrize(
    ("issued_at", "why"),
    [
        (CITY.retired_at - 1, ""),
        (CITY.retired_at, "retired_before"),
        (NOW, "retired_before"),
        (NOW - YEAR, ""),
        (NOW - YEAR - 1, "too_early"),
    ],
)
def test_a_retired_key_holds_what_it_signed_in_its_time(issued_at: int, why: str) -> None:
    read = tapped(signed(CHIP_CLAIMS | {6: issued_at}, CITY.retired_issuer, b"i-old"))
    if not why:
        assert credential.verify(read, CITY.keyset, NOW).kid == b"i-old"
        return
    with pytest.raises(CardFault) as raised:
        credential.verify(read, CITY.keyset, NOW)
    assert (raised.value.code, raised.value.detail["why"]) == ("card_unknown_key", why)


def test_a_key_holds_nothing_signed_after_its_time() -> None:
    later = NOW + 2 * YEAR
    read = tapped(signed(CHIP_CLAIMS | {6: later, 4: later + YEAR}))
    assert code_of(read, now=later) == "card_unknown_key"


def test_a_card_of_another_city_is_refused_though_well_signed() -> None:
    for issuer in ("metrokota.go.id.example", "METROKOTA.GO.ID", "", "example.org"):
        assert code_of(tapped(signed(CHIP_CLAIMS | {1: issuer}))) == "card_wrong_issuer"


def test_a_card_holds_until_the_second_of_its_expiry() -> None:
    read = tapped(CITY.chip(expires_at=NOW + 10))
    assert credential.verify(read, CITY.keyset, NOW + 9).expires_at == NOW + 10
    assert code_of(read, now=NOW + 10) == "card_expired"
    assert code_of(read, now=NOW + YEAR) == "card_expired"


def test_a_card_issued_by_a_clock_that_runs_ahead_is_borne_for_five_minutes() -> None:
    ahead = credential.CLOCK_LEEWAY_S
    assert credential.verify(tapped(CITY.chip(issued_at=NOW + ahead)), CITY.keyset, NOW).issued_at > NOW
    assert code_of(tapped(CITY.chip(issued_at=NOW + ahead + 1))) == "card_not_yet_valid"


def test_a_credential_on_the_other_medium_is_refused() -> None:
    assert code_of(qr(CITY.chip())) == "card_wrong_medium"
    assert code_of(tapped(CITY.printed())) == "card_wrong_medium"


@pytest.mark.parametrize(
    "uid",
    [UID[:-1] + b"\x81", UID[:4], b"", UID + b"\x00", bytes(7), b"\x09" + UID[:3]],
)
def test_a_credential_copied_to_another_chip_is_refused(uid: bytes) -> None:
    assert code_of(tapped(CITY.chip(), uid)) == "card_wrong_chip"


def test_a_random_uid_never_binds() -> None:
    assert code_of(tapped(CITY.chip(), b"\x08\x11\x22\x33")) == "card_random_uid"
    peer = b"\x01\xfe" + bytes(6)
    for uid in (b"\x08\x11\x22\x33", peer):
        assert code_of(tapped(signed(CHIP_CLAIMS | {-65539: uid}), uid)) == "card_random_uid"
        with pytest.raises(ValueError, match="random"):
            CITY.chip(uid=uid)


@pytest.mark.parametrize("uid", [b"\x08" + bytes(6), b"\x08" + bytes(9), b"\x09\x08\x08\x08", bytes(8)])
def test_a_uid_of_another_size_may_begin_with_08(uid: bytes) -> None:
    assert credential.verify(tapped(CITY.chip(uid=uid), uid), CITY.keyset, NOW).grade is Grade.P1


@pytest.mark.parametrize("missing", list(CHIP_CLAIMS))
def test_every_claim_of_a_chip_must_be_there(missing: int) -> None:
    claims = {key: value for key, value in CHIP_CLAIMS.items() if key != missing}
    assert code_of(tapped(signed(claims))) == "card_malformed"


@pytest.mark.parametrize("missing", list(QR_CLAIMS))
def test_every_claim_of_a_qr_code_must_be_there(missing: int) -> None:
    claims = {key: value for key, value in QR_CLAIMS.items() if key != missing}
    assert code_of(qr(signed(claims))) == "card_malformed"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (1, b"metrokota.go.id"),
        (1, None),
        (1, "m" * 101),
        (2, ""),
        (2, "KMC 1"),
        (2, "-1"),
        (2, "K" * 41),
        (2, "KMC\n"),
        (2, "\u0661\u0662"),
        (2, 123),
        (2, b"KMC-1"),
        (4, None),
        (4, str(NOW + YEAR)),
        (4, True),
        (4, -1),
        (4, 0),
        (4, NOW - 5000),
        (4, 253_402_300_800),
        (4, 2**64 - 1),
        (4, [NOW]),
        (6, -1),
        (6, NOW + YEAR),
        (6, False),
        (6, 2**64 - 1),
        (6, "0"),
        (-65537, 0),
        (-65537, -1),
        (-65537, 2**31),
        (-65537, True),
        (-65537, "2"),
        (-65538, "NFC"),
        (-65538, "typed"),
        (-65538, b"nfc"),
        (-65538, ["nfc"]),
        (-65538, {"nfc": 1}),
        (-65539, b""),
        (-65539, UID.hex()),
        (-65539, bytes(5)),
        (-65539, bytes(11)),
        (-65540, "p0"),
        (-65540, "typed"),
        (-65540, "P1"),
        (-65540, 1),
        (-65540, ["p1"]),
        (5, NOW),
        (7, b"id"),
        (-65541, 1),
        ("exp", NOW + YEAR),
    ],
    ids=str,
)
def test_every_claim_is_of_its_kind_and_range_and_there_is_no_other(claim: Any, value: Any) -> None:
    assert code_of(tapped(signed(CHIP_CLAIMS | {claim: value}))) == "card_malformed"


@pytest.mark.parametrize("extra", [{-65539: UID}, {-65540: "p1"}])
def test_a_qr_code_carries_nothing_of_a_chip(extra: dict[int, Any]) -> None:
    assert code_of(qr(signed(QR_CLAIMS | extra))) == "card_malformed"


@pytest.mark.parametrize("claims", [None, 1, "text", b"bytes", [], {}, [CHIP_CLAIMS], True])
def test_claims_that_are_no_claims_are_malformed(claims: Any) -> None:
    assert code_of(tapped(signed(claims))) == "card_malformed"


def test_claims_in_other_cbor_are_malformed_though_well_signed() -> None:
    plain = cose.encode(CHIP_CLAIMS)
    for payload in (
        b"",
        plain + b"\x00",
        plain[:-1],
        b"\xbf" + plain[1:] + b"\xff",
        b"\xb8\x08" + plain[1:],
        bytes([plain[0] + 1]) + plain[1:] + plain[1 : 1 + 17],
        b"\x81" * 100,
        b"\xd8\x3d" + plain,
    ):
        assert code_of(tapped(cose.sign(payload, CITY.issuer, b"i-now"))) == "card_malformed"


def test_the_order_of_the_checks_is_that_of_the_design() -> None:
    """A card with everything wrong, mended one thing at a time, is refused for the next thing each time."""
    wrong: dict[Any, Any] = CHIP_CLAIMS | {
        1: "example.org",
        4: NOW - 1,
        6: NOW - YEAR - 1,
        -65538: "qr",
        -65540: "p2",
    }
    without_chip = {key: value for key, value in wrong.items() if key not in (-65539, -65540)}
    other_uid = b"\x08\x01\x02\x03"
    copied = ChipProof(Grade.P1, original=False)
    steps: list[tuple[str, CardRead]] = [
        ("card_oversized", tapped(signed(without_chip, CITY.stranger, b"i-xyz") + bytes(4096), other_uid)),
        ("card_malformed", tapped(signed(without_chip, CITY.stranger, b"i-xyz") + b"\x00", other_uid)),
        ("card_unknown_key", tapped(signed(without_chip, CITY.stranger, b"i-xyz"), other_uid)),
        ("card_key_compromised", tapped(signed(without_chip, CITY.stranger, b"i-bad"), other_uid)),
        ("card_bad_signature", tapped(signed(without_chip, CITY.stranger), other_uid)),
        ("card_wrong_issuer", tapped(signed(without_chip), other_uid)),
        ("card_unknown_key", tapped(signed(without_chip | {1: "metrokota.go.id"}), other_uid)),
        ("card_expired", tapped(signed(without_chip | {1: "metrokota.go.id", 6: NOW - 5000}), other_uid)),
        ("card_wrong_medium", tapped(signed(QR_CLAIMS), other_uid)),
        ("card_random_uid", tapped(signed(CHIP_CLAIMS | {-65540: "p2"}), other_uid)),
        ("card_wrong_chip", replace(tapped(signed(CHIP_CLAIMS | {-65540: "p2"}), bytes(7)), proof=copied)),
        ("card_not_original", replace(tapped(signed(CHIP_CLAIMS | {-65540: "p2"})), proof=copied)),
        ("card_downgrade", tapped(signed(CHIP_CLAIMS | {-65540: "p2"}))),
    ]
    assert [code_of(read) for _, read in steps] == [code for code, _ in steps]
    assert credential.verify(tapped(signed(CHIP_CLAIMS)), CITY.keyset, NOW).grade is Grade.P1


@pytest.mark.parametrize(
    "change",
    [
        {"card_no": ""},
        {"card_no": "KMC 1"},
        {"issue_no": 0},
        {"issued_at": -1},
        {"expires_at": NOW - 5000},
        {"uid": b""},
        {"uid": bytes(5)},
        {"least": Grade.P0},
        {"least": Grade.TYPED},
    ],
    ids=str,
)
def test_what_would_be_refused_is_not_issued(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        CITY.chip(**change)


def test_a_qr_code_is_not_issued_for_a_chip() -> None:
    issue: Callable[..., bytes] = credential.issue
    with pytest.raises(ValueError, match="UID"):
        issue(CITY.issuer, b"i-now", "KMC-1", 1, 1, 2, Medium.QR, UID)
    with pytest.raises(ValueError, match="medium"):
        issue(CITY.issuer, b"i-now", "KMC-1", 1, 1, 2, Medium.TYPED)


def test_a_fault_says_nothing_of_the_holder() -> None:
    for read in (tapped(CITY.chip(), bytes(7)), qr(CITY.chip()), tapped(CITY.chip(expires_at=NOW - 1))):
        with pytest.raises(CardFault) as raised:
            credential.verify(read, CITY.keyset, NOW)
        said = f"{raised.value} {raised.value.as_json()}"
        assert "KMC-000123" not in said
        assert UID.hex() not in said


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _resigned_badly(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])
