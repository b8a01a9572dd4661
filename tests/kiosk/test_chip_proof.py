"""What chips prove, graded: fresh challenges, certificates, counters; and programs that ask for P2 and P3."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kiosk import card_certificate, chip_proof, keyset
from kiosk.card_certificate import CardCertificate
from kiosk.chip_proof import Challenges, grade_of
from kiosk.errors import CardFault, OfficerFault
from kiosk.grant import Term
from kiosk.keyset import Key, KeySet, KeyStatus, KeyUse
from kiosk.proving import BADGE_S
from kiosk.values import CardRead, Checks, ChipProof, Collector, Grade, StateCode
from tests.kiosk.city import CITY, NOW, UID, YEAR, key_pair, public, shown, tapped
from tests.kiosk.counter_world import OFFICER, PIN, START, World, program

AUTHORITY, OTHER = key_pair(20), key_pair(21)
CARD_NO, ISSUE_NO = "KMC-000123", 2
FIELDS: dict[str, Any] = {"start": NOW - 5000, "until": NOW + YEAR}


def with_authority(status: KeyStatus = KeyStatus.ACTIVE, since: int = 0) -> KeySet:
    span = (NOW - YEAR, NOW + 2 * YEAR)
    keys = [*CITY.keys, Key(b"ca-1", KeyUse.CARD_CA, public(AUTHORITY), *span, status, since)]
    return keyset.open_keyset(keyset.make(keys, NOW - 500, CITY.root1, b"root-1"), CITY.roots)


KEYSET = with_authority()


class Chip:
    """A chip's key, and what it makes of a challenge."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def certificate(
        self, card_no: str = CARD_NO, issue_no: int = ISSUE_NO, **changes: Any
    ) -> CardCertificate:
        return CardCertificate(card_no, issue_no, self.public, **FIELDS | changes)

    def proof(self, challenge: bytes, certificate: bytes | None = None) -> ChipProof:
        certificate = certificate or card_certificate.make(self.certificate(), AUTHORITY, b"ca-1")
        signed = self.key.sign(card_certificate.SIGNED_PREFIX + challenge, ec.ECDSA(SHA256()))
        return ChipProof(Grade.P3, challenge, certificate, signed)


@pytest.fixture(scope="module")
def chip() -> Chip:
    return Chip()


@pytest.fixture
def challenges() -> Challenges:
    return Challenges()


def read_with(proof: ChipProof | None) -> CardRead:
    return replace(tapped(CITY.chip(CARD_NO, ISSUE_NO)), proof=proof)


def why(read: CardRead, challenges: Challenges, keys: KeySet = KEYSET, now: int = NOW) -> str:
    with pytest.raises(CardFault) as caught:
        grade_of(read, keys, challenges, now)
    assert caught.value.code == "card_proof_bad"
    return str(caught.value.detail["why"])


# -- grades --


@pytest.mark.parametrize(
    ("proof", "grade"),
    [
        (None, Grade.P1),
        (ChipProof(Grade.P1, original=True), Grade.P1),
        (ChipProof(Grade.P1, counter=3), Grade.P1),
        (ChipProof(Grade.P2), Grade.P2),
    ],
)
def test_what_the_reader_ran_is_the_grade(
    proof: ChipProof | None, grade: Grade, challenges: Challenges
) -> None:
    assert grade_of(read_with(proof), KEYSET, challenges, NOW) is grade


def test_a_code_on_paper_proves_nothing_whatever_is_told(challenges: Challenges) -> None:
    read = replace(shown("KMC1:A"), proof=ChipProof(Grade.P2))
    assert grade_of(read, KEYSET, challenges, NOW) is Grade.P0


def test_a_chip_that_signed_is_p3_once(chip: Chip, challenges: Challenges) -> None:
    read = read_with(chip.proof(challenges.new("nfc")))
    assert grade_of(read, KEYSET, challenges, NOW) is Grade.P3
    assert why(read, challenges) == "challenge"


def test_only_challenges_that_are_open_here(chip: Chip, challenges: Challenges) -> None:
    assert why(read_with(chip.proof(bytes(16))), challenges) == "challenge"
    assert why(read_with(chip.proof(b"")), challenges) == "challenge"
    first = challenges.new("nfc")
    other = challenges.new("nfc:2")
    *_, newest = [challenges.new("nfc") for _ in range(chip_proof.MOST_OPEN)]
    assert why(read_with(chip.proof(first)), challenges) == "challenge"
    for challenge in (newest, other):
        assert grade_of(read_with(chip.proof(challenge)), KEYSET, challenges, NOW) is Grade.P3


@pytest.mark.parametrize(("after_s", "told"), [(0.0, ""), (60.0, ""), (60.1, "late"), (86_400.0, "late")])
def test_a_challenge_is_open_for_a_minute(after_s: float, told: str, chip: Chip) -> None:
    now = [500.0]
    challenges = Challenges(lambda: now[0])
    read = read_with(chip.proof(challenges.new("nfc")))
    now[0] += after_s
    if told:
        assert why(read, challenges) == told
    else:
        assert grade_of(read, KEYSET, challenges, NOW) is Grade.P3
    # Late or not, it is used up.
    assert why(read, challenges) == "challenge"


def test_challenges_are_sixteen_random_bytes(challenges: Challenges) -> None:
    made = {challenges.new() for _ in range(100)}
    assert len(made) == 100
    assert {len(challenge) for challenge in made} == {chip_proof.CHALLENGE_BYTES}


def test_a_signature_by_another_key_or_over_something_else(chip: Chip, challenges: Challenges) -> None:
    certificate = card_certificate.make(chip.certificate(), AUTHORITY, b"ca-1")
    assert why(read_with(Chip().proof(challenges.new(), certificate)), challenges) == "signature"
    asked, answered = challenges.new(), challenges.new()
    assert why(read_with(replace(chip.proof(answered), challenge=asked)), challenges) == "signature"
    bare = chip.key.sign(answered, ec.ECDSA(SHA256()))
    assert why(read_with(ChipProof(Grade.P3, answered, certificate, bare)), challenges) == "signature"
    for spoilt in (b"", b"\x30", bytes(64)):
        proof = ChipProof(Grade.P3, challenges.new(), certificate, spoilt)
        assert why(read_with(proof), challenges) == "signature"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"card_no": "KMC-000124"}, "card"),
        ({"issue_no": 3}, "card"),
        ({"until": NOW}, "time"),
        ({"start": NOW + 1}, "time"),
        ({"start": NOW - 2 * YEAR}, "too_early"),
    ],
)
def test_a_certificate_of_another_card_or_time(
    changes: dict[str, Any], told: str, chip: Chip, challenges: Challenges
) -> None:
    certificate = card_certificate.make(chip.certificate(**changes), AUTHORITY, b"ca-1")
    assert why(read_with(chip.proof(challenges.new(), certificate)), challenges) == told


def test_a_certificate_by_somebody_else(chip: Chip, challenges: Challenges) -> None:
    def signed(key: Ed25519PrivateKey, kid: bytes) -> ChipProof:
        return chip.proof(challenges.new(), card_certificate.make(chip.certificate(), key, kid))

    assert why(read_with(signed(OTHER, b"ca-1")), challenges) == "bad_signature"
    assert why(read_with(signed(OTHER, b"ca-2")), challenges) == "unknown"
    # The key that issues credentials is no card authority, nor does it become one by its name.
    assert why(read_with(signed(CITY.issuer, b"i-now")), challenges) == "unknown"
    # A credential is no certificate, though a key of the city signed it.
    assert why(read_with(chip.proof(challenges.new(), CITY.chip())), challenges) == "unknown"


@pytest.mark.parametrize(
    ("status", "since", "told"),
    [
        (KeyStatus.COMPROMISED, NOW, "compromised"),
        (KeyStatus.RETIRED, NOW - 6000, "retired_before"),
    ],
)
def test_an_authority_that_does_not_hold(
    status: KeyStatus, since: int, told: str, chip: Chip, challenges: Challenges
) -> None:
    keys = with_authority(status, since)
    assert why(read_with(chip.proof(challenges.new())), challenges, keys) == told


def test_what_a_retired_authority_signed_before_holds(chip: Chip, challenges: Challenges) -> None:
    keys = with_authority(KeyStatus.RETIRED, NOW - 100)
    assert grade_of(read_with(chip.proof(challenges.new())), keys, challenges, NOW) is Grade.P3


@pytest.mark.parametrize("at", [0, 1, 5, 30, 60, 100, 150, -1])
def test_a_certificate_with_a_bit_changed(at: int, chip: Chip, challenges: Challenges) -> None:
    certificate = bytearray(card_certificate.make(chip.certificate(), AUTHORITY, b"ca-1"))
    certificate[at] ^= 1
    assert why(read_with(chip.proof(challenges.new(), bytes(certificate))), challenges)


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(1025), b"\xd2\x84\x40\xa0\x40\x40"])
def test_what_is_no_certificate(data: bytes, chip: Chip, challenges: Challenges) -> None:
    proof = replace(chip.proof(challenges.new()), certificate=data)
    assert why(read_with(proof), challenges) in ("oversized", "malformed", "bad_algorithm")


@pytest.mark.parametrize(
    "changes",
    [
        {"public": b"\x04" + bytes(64)},
        {"public": b"\x02" + bytes(32)},
        {"issue_no": 0},
        {"card_no": ""},
        {"start": 5, "until": 5},
    ],
)
def test_a_certificate_that_could_not_be_read_is_not_made(changes: dict[str, Any], chip: Chip) -> None:
    with pytest.raises(ValueError, match=r"."):
        card_certificate.make(replace(chip.certificate(), **changes), AUTHORITY, b"ca-1")


def test_a_payload_that_is_no_credential_matches_no_certificate(chip: Chip, challenges: Challenges) -> None:
    for payload in (b"", b"nothing", CITY.signed_keyset):
        read = replace(tapped(payload), proof=chip.proof(challenges.new()))
        assert why(read, challenges) == "card"


# -- at the counter --


class ProvingWorld(World):
    """A kiosk whose keyset names a card authority."""

    chip = Chip()

    def proved(self, grade: Grade, least: Grade = Grade.P1, counter: int | None = None) -> CardRead:
        """Holder 1's card, read with that grade."""
        card_no, expires_at = "7000000001", int(START.timestamp()) + 400 * 86400
        read = tapped(self.city.chip(card_no, 1, expires_at=expires_at, least=least))
        if grade is Grade.P1:
            return replace(read, proof=ChipProof(Grade.P1, counter=counter))
        if grade is Grade.P2:
            return replace(read, proof=ChipProof(Grade.P2, counter=counter))
        now = int(START.timestamp())
        certificate = CardCertificate(card_no, 1, self.chip.public, now - 10, now + 10_000)
        signed = card_certificate.make(certificate, AUTHORITY, b"ca-1")
        return replace(read, proof=self.chip.proof(self.challenges.new("nfc"), signed))

    @property
    def challenges(self) -> Challenges:
        return self.counter._proving._challenges


@pytest.fixture
def world(tmp_path: Any) -> ProvingWorld:
    made = ProvingWorld(tmp_path)
    span = (NOW - YEAR, NOW + 2 * YEAR)
    keys = [*made.city.keys, Key(b"ca-1", KeyUse.CARD_CA, public(AUTHORITY), *span)]
    made.home.take_keyset(keyset.make(keys, NOW - 400, made.city.root1, b"root-1"))
    return made


def state_of(world: ProvingWorld, read: CardRead, program_id: str) -> StateCode:
    visit = world.counter.read(read, world.sign_in())
    return next(row.state.code for row in visit.rows if row.program_id == program_id)


@pytest.mark.parametrize("grade", [Grade.P1, Grade.P2, Grade.P3])
@pytest.mark.parametrize("asked", [Grade.P1, Grade.P2, Grade.P3])
def test_a_program_takes_its_grade_and_what_is_above(world: ProvingWorld, grade: Grade, asked: Grade) -> None:
    world.put_program(program("uang", least_grade=asked.label))
    world.entitle(2, "h1", "uang", 10_000)
    term = Term("uang", 1, 2, 1, 10_000)
    world.take_in(world.grant("h1/uang/2026-11", terms=(term,)))
    read = world.proved(grade)
    assert world.counter.read(read, None).grade is grade
    expected = StateCode.GRADE_TOO_LOW if grade < asked else StateCode.READY
    assert state_of(world, world.proved(grade), "uang") is expected


@pytest.mark.parametrize(
    ("least", "grade"), [(Grade.P2, Grade.P1), (Grade.P3, Grade.P1), (Grade.P3, Grade.P2)]
)
def test_a_card_that_was_not_asked_what_it_can_prove_is_a_downgrade(
    world: ProvingWorld, least: Grade, grade: Grade
) -> None:
    with pytest.raises(CardFault) as caught:
        world.counter.read(world.proved(grade, least))
    assert caught.value.code == "card_downgrade"
    assert world.counter.read(world.proved(least, least)).grade is least


def test_above_a_quantity_a_higher_grade_is_asked(world: ProvingWorld) -> None:
    above = {"quantity": 4_000, "grade": "p2"}
    world.put_program(program("beras", partial=True, grade_above=above))
    session = world.sign_in()
    world.take_in(world.grant())

    def confirm(grade: Grade, quantity: int) -> None:
        visit = world.counter.read(world.proved(grade), session)
        world.counter.confirm(visit, "beras", quantity, Collector(), Checks(), session)

    with pytest.raises(OfficerFault) as caught:
        confirm(Grade.P1, 5_000)
    assert caught.value.code == "grade_too_low"
    confirm(Grade.P2, 5_000)
    confirm(Grade.P1, 1_000)


def test_the_journal_says_which_grade_it_was(world: ProvingWorld) -> None:
    world.take_in(world.grant())
    session = world.sign_in()
    visit = world.counter.read(world.proved(Grade.P3), session)
    world.counter.confirm(visit, "beras", 10_000, Collector(), Checks(), session)
    assert visit.grade is Grade.P3
    (record,) = world.ledger.rows("SELECT record FROM journal WHERE type = 'dispense'")
    assert b"\x69assurance\x62p3" in bytes(record[0])


def test_a_message_of_the_chip_counts_once_and_ever_upwards(world: ProvingWorld) -> None:
    for counter in (7, 8, 20):
        assert world.counter.read(world.proved(Grade.P2, counter=counter)).grade is Grade.P2
    for counter in (20, 8, 0):
        with pytest.raises(CardFault) as caught:
            world.counter.read(world.proved(Grade.P1, counter=counter))
        assert caught.value.code == "card_replayed"
    world.counter.close()
    world.counter = world.open_counter()
    with pytest.raises(CardFault, match="card_replayed"):
        world.counter.read(world.proved(Grade.P2, counter=20))
    assert world.counter.read(world.proved(Grade.P2, counter=21)).grade is Grade.P2
    # A read without one says nothing of copies.
    assert world.counter.read(world.proved(Grade.P2)).grade is Grade.P2


@pytest.mark.parametrize("grade", [Grade.P1, Grade.P2, Grade.P3])
def test_a_badge_proves_itself_once_and_its_pin_comes_after(world: ProvingWorld, grade: Grade) -> None:
    world.put("badge", "7000000001", OFFICER, 1, 1)
    badge = world.proved(grade, grade, counter=4)
    assert world.counter.badge_owner(badge) == OFFICER
    with pytest.raises(OfficerFault, match="wrong_pin"):
        world.counter.sign_in(OFFICER, "000000", badge)
    world.clock.go_on(timedelta(seconds=60))
    assert world.counter.sign_in(OFFICER, PIN, badge).username == OFFICER
    # Signed in, the same answer of the chip is worth nothing any more: somebody may have kept it.
    with pytest.raises(CardFault) as caught:
        world.counter.sign_in(OFFICER, PIN, badge)
    assert caught.value.code == ("card_proof_bad" if grade is Grade.P3 else "card_replayed")


def test_a_badge_is_not_kept_for_later(world: ProvingWorld) -> None:
    world.put("badge", "7000000001", OFFICER, 1, 1)
    badge = world.proved(Grade.P3, Grade.P3)
    assert world.counter.badge_owner(badge) == OFFICER
    world.clock.go_on(timedelta(seconds=BADGE_S + 1))
    with pytest.raises(CardFault, match="card_proof_bad"):
        world.counter.sign_in(OFFICER, PIN, badge)


def test_a_badge_without_its_challenge_is_no_factor(world: ProvingWorld) -> None:
    world.put("badge", "7000000001", OFFICER, 1, 1)
    copied = world.proved(Grade.P1, Grade.P2)
    for work in (world.counter.badge_owner, partial(world.counter.sign_in, OFFICER, PIN)):
        with pytest.raises(CardFault, match="card_downgrade"):
            work(copied)


def test_a_credential_that_does_not_hold_counts_nothing(world: ProvingWorld) -> None:
    read = world.proved(Grade.P2, counter=9)
    with pytest.raises(CardFault, match="card_wrong_chip"):
        world.counter.read(replace(read, uid=UID[:-1] + b"\x00"))
    assert world.counter.read(read).grade is Grade.P2
