"""Enrolment: the signed document, the ticket, and the file that survives or is refused."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk import cose, enrolment, keyset
from kiosk.enrolment import Enrolment, EnrolmentBundle
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.keyset import KeyStanding, KeyStatus
from kiosk.values import Mode
from tests.kiosk.city import CITY, NOW, YEAR, key_pair, public

ROOT1 = public(CITY.root1)
HERE = Enrolment("IRM1", 2, Mode.PRODUCTION, 7, public(key_pair(40)), NOW - 2000, 1)
URL = "https://central.example"


def document(what: Enrolment = HERE, key: Ed25519PrivateKey = CITY.central, kid: bytes = b"c-now") -> bytes:
    return enrolment.make(what, key, kid)


def saved(home: Path) -> EnrolmentBundle:
    return enrolment.save(home, document(), CITY.signed_keyset, CITY.roots, URL, device=HERE.public)


def newer_keyset(issued: int = NOW, **changes: Any) -> bytes:
    """A keyset in which the central key in force has changed."""
    keys = [replace(key, **changes) if key.kid == b"c-now" else key for key in CITY.keys]
    return keyset.make(keys, issued, CITY.root2, b"r")


def why_damaged(home: Path) -> str:
    with pytest.raises(EnvironmentFault) as raised:
        enrolment.load(home)
    assert raised.value.code == "enrolment_damaged"
    return str(raised.value.detail["why"])


def why_refused(data: bytes) -> str:
    with pytest.raises(CentralFault) as raised:
        enrolment.open_enrolment(data, CITY.keyset)
    assert raised.value.code == "enrolment_refused"
    return str(raised.value.detail["why"])


def test_an_enrolment_says_which_kiosk_this_is() -> None:
    for mode in Mode:
        what = replace(HERE, mode=mode)
        opened = enrolment.open_enrolment(document(what), CITY.keyset)
        assert opened == what
        assert opened.mode is mode
    assert HERE.key_id == "IRM1.2"


def test_an_enrolment_by_a_key_retired_since_holds() -> None:
    old = replace(HERE, issued=CITY.retired_at - 1)
    assert enrolment.open_enrolment(document(old, CITY.retired_central, b"c-old"), CITY.keyset) == old


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (document(key=CITY.stranger), "bad_signature"),
        (document(key=CITY.issuer, kid=b"i-now"), "unknown_key"),
        (document(key=CITY.root1, kid=b"root-1"), "unknown_key"),
        (document(key=CITY.stolen_central, kid=b"c-bad"), "compromised"),
        (document(replace(HERE, issued=NOW), CITY.retired_central, b"c-old"), "retired_before"),
        (document(replace(HERE, issued=NOW - YEAR - 1)), "too_early"),
        (document(replace(HERE, issued=NOW + 2 * YEAR)), "too_late"),
        (b"", "malformed"),
    ],
)
def test_an_enrolment_that_does_not_hold_is_refused(data: bytes, why: str) -> None:
    assert why_refused(data) == why


def test_another_document_of_central_is_no_enrolment() -> None:
    content = cose.parse(document()).payload
    assert why_refused(cose.sign(content, CITY.central, b"c-now", b"kmc/grant/1")) == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"kiosk": "irm1"},
        {"kiosk": "I"},
        {"kiosk": "IRM1-X"},
        {"kiosk": "IRM1\n"},
        {"kiosk": "I" * 9},
        {"kiosk": 1},
        {"gen": 0},
        {"gen": True},
        {"gen": "1"},
        {"mode": "Production"},
        {"mode": "test"},
        {"mode": ""},
        {"mode": ["production"]},
        {"point": 0},
        {"point": -1},
        {"public": bytes(31)},
        {"public": "text"},
        {"issued": -1},
        {"issued": 2**60},
        {"incarnation": -1},
        {"incarnation": None},
        {"more": 1},
    ],
    ids=str,
)
def test_content_of_another_kind_is_refused_though_central_signed_it(change: dict[str, Any]) -> None:
    content = cose.decode(cose.parse(document()).payload) | change
    assert (
        why_refused(cose.sign(cose.encode(content), CITY.central, b"c-now", enrolment.CONTEXT)) == "content"
    )


def test_a_missing_field_is_refused() -> None:
    content = cose.decode(cose.parse(document()).payload)
    for name in content:
        less = {key: value for key, value in content.items() if key != name}
        assert (
            why_refused(cose.sign(cose.encode(less), CITY.central, b"c-now", enrolment.CONTEXT)) == "content"
        )


def test_what_would_be_refused_is_not_made() -> None:
    with pytest.raises(ValueError, match="kiosk"):
        document(replace(HERE, kiosk="no"))


def test_a_ticket_names_its_root_and_is_never_the_same() -> None:
    tickets = {enrolment.make_ticket(ROOT1) for _ in range(200)}
    assert len(tickets) == 200
    for ticket in tickets:
        groups = ticket.split("-")
        assert [len(group) for group in groups] == [4, 4, 4, 4, 8]
        assert not set("".join(groups[:4])) & set("ILOU")
        assert enrolment.normalise_ticket(ticket) == ticket
        assert enrolment.ticket_fingerprint_holds(ticket, ROOT1)
        assert not enrolment.ticket_fingerprint_holds(ticket, public(CITY.root2))


def test_the_fingerprint_is_that_of_the_format() -> None:
    # SHA-256 of 32 zero bytes begins 66687aadf862bd77…
    assert enrolment.make_ticket(bytes(32)).endswith("-66687AAD")


@pytest.mark.parametrize(
    "typed",
    [
        "01AB-CDEF-GH0J-K1MN-66687AAD",
        "01ab-cdef-gh0j-k1mn-66687aad",
        "oiab-cdef-ghoj-klmn-66687aad",
        "OLAB CDEF GHOJ KIMN 66687AAD",
        "  01AB-CDEF-GH0J-K1MN-66687AAD\n",
        "01abcdefgh0jk1mn66687aad",
        "01AB\u2013CDEF\u2014GH0J\u2010K1MN\u201166687AAD",
    ],
)
def test_a_ticket_is_taken_however_it_is_typed(typed: str) -> None:
    assert enrolment.normalise_ticket(typed) == "01AB-CDEF-GH0J-K1MN-66687AAD"
    assert enrolment.ticket_fingerprint_holds(typed, bytes(32))


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "01AB-CDEF-GH0J-K1MN",
        "01AB-CDEF-GH0J-K1MN-66687AA",
        "01AB-CDEF-GH0J-K1MN-66687AADD",
        "U1AB-CDEF-GH0J-K1MN-66687AAD",
        "01AB-CDEF-GH0J-K1MN-66687AAG",
        "01AB-CDEF-GH0J-K1M!-66687AAD",
        "\u0660\u0661AB-CDEF-GH0J-K1MN-66687AAD",
    ],
)
def test_what_is_no_ticket_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="ticket"):
        enrolment.normalise_ticket(typed)
    assert not enrolment.ticket_fingerprint_holds(typed, bytes(32))


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_ticket_or_a_value_error(typed: str) -> None:
    try:
        normal = enrolment.normalise_ticket(typed)
    except ValueError:
        return
    assert enrolment.normalise_ticket(normal) == normal


def test_a_machine_without_a_file_is_not_enrolled(tmp_path: Path) -> None:
    assert enrolment.load(tmp_path) is None
    assert enrolment.load(tmp_path / "nowhere") is None


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    bundle = saved(tmp_path)

    assert enrolment.load(tmp_path) == bundle
    assert (bundle.enrolment, bundle.roots, bundle.central_url) == (HERE, CITY.roots, URL)
    assert bundle.keyset == CITY.keyset
    assert bundle.standing is KeyStanding.ACTIVE
    assert [path.name for path in tmp_path.iterdir()] == [enrolment.FILE_NAME]
    assert stat.S_IMODE((tmp_path / enrolment.FILE_NAME).stat().st_mode) == 0o600


def test_nothing_is_saved_that_does_not_hold(tmp_path: Path) -> None:
    strangers = (public(CITY.stranger), public(CITY.issuer))
    with pytest.raises(CentralFault, match="keyset_refused"):
        enrolment.save(tmp_path, document(), CITY.signed_keyset, strangers, URL, device=HERE.public)
    with pytest.raises(CentralFault, match="keyset_refused"):
        enrolment.save(tmp_path, document(), CITY.signed_keyset, (ROOT1, ROOT1), URL, device=HERE.public)
    with pytest.raises(CentralFault, match="keyset_refused"):
        enrolment.save(tmp_path, document(), CITY.signed_keyset, (ROOT1, b""), URL, device=HERE.public)
    with pytest.raises(CentralFault, match="enrolment_refused"):
        enrolment.save(
            tmp_path, document(key=CITY.stranger), CITY.signed_keyset, CITY.roots, URL, device=HERE.public
        )
    assert list(tmp_path.iterdir()) == []


def test_every_byte_of_the_file_matters(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / enrolment.FILE_NAME
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        assert why_damaged(tmp_path) == "file"
    for part in (b"", whole[:10], whole[:-1], whole + b"\x00", whole[32:]):
        path.write_bytes(part)
        assert why_damaged(tmp_path) == "file"


def rewritten(home: Path, change: dict[int, Any]) -> None:
    """The file as somebody who knows the format would forge it, checksum and all."""
    path = home / enrolment.FILE_NAME
    content = cose.decode(path.read_bytes()[32:])
    for at, value in change.items():
        content[at] = value
    body = cose.encode(content)
    path.write_bytes(hashlib.sha256(body).digest() + body)


def test_the_mode_in_the_file_is_not_anybodys_to_change(tmp_path: Path) -> None:
    saved(tmp_path)
    demonstration = document(replace(HERE, mode=Mode.DEMONSTRATION), CITY.stranger)
    rewritten(tmp_path, {1: demonstration})
    assert why_damaged(tmp_path) == "enrolment_refused: bad_signature"
    forged = cose.parse(document())
    payload = forged.payload.replace(b"production", b"demonstrat")
    rewritten(tmp_path, {1: document().replace(forged.payload, payload)})
    assert why_damaged(tmp_path) == "enrolment_refused: bad_signature"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({0: 2}, "file"),
        ({0: True}, "file"),
        ({1: "text"}, "file"),
        ({3: None}, "file"),
        ({4: [ROOT1]}, "file"),
        ({5: 1}, "file"),
        ({4: [ROOT1, b"short"]}, "keyset_refused: roots"),
        ({4: [public(CITY.stranger), public(CITY.root2)]}, "keyset_refused: bad_signature"),
        ({2: b""}, "keyset_refused: malformed"),
        ({3: document()}, "keyset_refused: bad_signature"),
    ],
    ids=str,
)
def test_a_forged_file_is_refused(tmp_path: Path, change: dict[int, Any], why: str) -> None:
    saved(tmp_path)
    rewritten(tmp_path, change)
    assert why_damaged(tmp_path) == why


def test_a_file_that_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    (tmp_path / enrolment.FILE_NAME).mkdir()
    assert why_damaged(tmp_path) == "unreadable"


def test_a_newer_keyset_takes_the_place_of_the_old(tmp_path: Path) -> None:
    bundle = saved(tmp_path)
    changed = enrolment.save_keyset(tmp_path, bundle, newer_keyset())

    assert changed.keyset.issued == NOW
    assert changed.enrolment == HERE
    assert enrolment.load(tmp_path) == changed
    for older in (CITY.signed_keyset, newer_keyset()):
        with pytest.raises(CentralFault) as raised:
            enrolment.save_keyset(tmp_path, changed, older)
        assert (raised.value.code, raised.value.detail["why"]) == ("keyset_refused", "older")
    assert enrolment.load(tmp_path) == changed


@pytest.mark.parametrize(
    ("change", "standing"),
    [
        ({"status": KeyStatus.RETIRED, "since": NOW}, KeyStanding.RETIRED),
        ({"status": KeyStatus.COMPROMISED, "since": NOW}, KeyStanding.COMPROMISED),
        ({"kid": b"c-new", "public": public(key_pair(41))}, KeyStanding.UNKNOWN),
    ],
    ids=str,
)
def test_a_keyset_without_the_enrolments_key_is_taken_and_said(
    tmp_path: Path, change: dict[str, Any], standing: KeyStanding
) -> None:
    """Refusing it would leave the kiosk trusting the very key that was stolen."""
    enrolment.save_keyset(tmp_path, saved(tmp_path), newer_keyset(**change))

    loaded = enrolment.load(tmp_path)
    assert loaded is not None
    assert loaded.enrolment == HERE
    assert loaded.standing is standing


def test_an_enrolment_of_another_device_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(CentralFault) as raised:
        enrolment.save(
            tmp_path, document(), CITY.signed_keyset, CITY.roots, URL, device=public(CITY.stranger)
        )
    assert (raised.value.code, raised.value.detail["why"]) == ("enrolment_refused", "another_device")
    assert list(tmp_path.iterdir()) == []


def test_a_ticket_tells_the_city_from_others() -> None:
    ticket = enrolment.make_ticket(ROOT1)
    opened = enrolment.first_keyset(ticket.lower(), CITY.signed_keyset, CITY.roots)
    assert opened == CITY.keyset
    with pytest.raises(CentralFault, match="central_foreign"):
        enrolment.first_keyset(enrolment.make_ticket(bytes(32)), CITY.signed_keyset, CITY.roots)


def test_a_second_root_put_beside_the_citys_first_signs_no_first_keyset() -> None:
    intruder = key_pair(66)
    roots = (ROOT1, public(intruder))
    forged = keyset.make(CITY.keys, NOW, intruder, b"root-2")
    assert keyset.open_keyset(forged, roots).issued == NOW
    with pytest.raises(CentralFault, match="keyset_refused"):
        enrolment.first_keyset(enrolment.make_ticket(ROOT1), forged, roots)


def test_a_keyset_too_large_to_keep_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    bundle = saved(tmp_path)
    crowd = [replace(CITY.keys[0], kid=bytes([n] * 16), public=public(key_pair(n))) for n in range(20, 148)]
    huge = keyset.make([*CITY.keys[1:], *crowd], NOW, CITY.root1, b"r")
    with pytest.raises(CentralFault) as raised:
        enrolment.save_keyset(tmp_path, bundle, huge)
    assert raised.value.detail["why"] == "oversized"
    assert enrolment.load(tmp_path) == bundle


def test_a_disk_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = saved(tmp_path)

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(EnvironmentFault) as raised:
        enrolment.save_keyset(tmp_path, bundle, newer_keyset())
    assert raised.value.code == "write_failed"
    assert enrolment.load(tmp_path) == bundle
    assert [path.name for path in tmp_path.iterdir()] == [enrolment.FILE_NAME]
