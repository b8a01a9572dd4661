"""Card authorities: made, retired and lost like the city's other keys; certificates that kiosks believe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kiosk import card_certificate
from kiosk.card_certificate import CertificateFault
from kiosk.errors import OfficerFault
from kiosk.keyset import KeyUse
from sync.central import card_acts, card_certify, cards, key_admin
from sync.central.key_files import KEYS_FOLDER
from tests.sync.whole import Whole

SPKI = PublicFormat.SubjectPublicKeyInfo


def root(whole: Whole) -> Path:
    return whole.central.home / KEYS_FOLDER / "root1.key"


def add_authority(whole: Whole) -> str:
    kid: str = key_admin.add(whole.central, KeyUse.CARD_CA, root(whole))["kid"]
    whole.clock.now += 1
    return kid


def card_of(whole: Whole) -> str:
    """A card that was issued now."""
    return cards.issue(whole.central, 1, "DESFire", bytes.fromhex("04a1b2c3d4e5f6")).card_no


def chip_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def test_a_certificate_holds_at_a_kiosk_until_its_authority_is_lost(whole: Whole) -> None:
    kid, public, card_no = add_authority(whole), chip_key(), card_of(whole)
    made = card_certify.certify(whole.central, card_no, public)
    kiosk = whole.enrol()
    assert kiosk.sync() == ""
    now = whole.central.now()
    opened = card_certificate.open_certificate(made, kiosk.home.keyset(), now)
    issued = cards.issued(whole.central, card_no)
    assert (opened.card_no, opened.issue_no, opened.public) == (card_no, issued.issue_no, public)
    assert (opened.start, opened.until) == (now, issued.expires_at)
    assert card_certify.CERTIFIED in [act["act"] for act in card_acts.history(whole.central, card_no)]

    key_admin.compromise(whole.central, kid, root(whole))
    assert kiosk.sync() == ""
    with pytest.raises(CertificateFault) as caught:
        card_certificate.open_certificate(made, kiosk.home.keyset(), now)
    assert caught.value.why == "compromised"


def test_without_an_authority_nothing_is_certified(whole: Whole) -> None:
    card_no = card_of(whole)
    with pytest.raises(OfficerFault) as caught:
        card_certify.certify(whole.central, card_no, chip_key())
    assert caught.value.code == "no_card_authority"
    # The last one may go: cards that sign are then merely read.
    kid = add_authority(whole)
    assert [key["signs"] for key in key_admin.listed(whole.central) if key["use"] == "card_ca"] == [True]
    key_admin.retire(whole.central, kid, root(whole))
    with pytest.raises(OfficerFault) as again:
        card_certify.certify(whole.central, card_no, chip_key())
    assert again.value.code == "no_card_authority"


def test_only_cards_in_use_and_keys_of_the_profile(whole: Whole, tmp_path: Path) -> None:
    add_authority(whole)
    card_no = card_of(whole)
    with pytest.raises(OfficerFault) as unknown:
        card_certify.certify(whole.central, "0000000000", chip_key())
    assert unknown.value.code == "unknown_card"
    with pytest.raises(OfficerFault) as refused:
        card_certify.certify(whole.central, card_no, b"\x04" + bytes(64))
    assert refused.value.code == "card_refused"
    cards.revoke(whole.central, card_no, None, "lost")
    with pytest.raises(OfficerFault) as lost:
        card_certify.certify(whole.central, card_no, chip_key())
    assert lost.value.code == "card_not_active"

    pem = tmp_path / "chip.pem"
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem.write_bytes(key.public_bytes(Encoding.PEM, SPKI))
    assert card_certify.read_public(pem) == key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for other in (
        ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(Encoding.PEM, SPKI),
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, SPKI),
        b"none",
    ):
        pem.write_bytes(other)
        with pytest.raises(OfficerFault, match="card_refused"):
            card_certify.read_public(pem)
    assert json.dumps(key_admin.listed(whole.central))
