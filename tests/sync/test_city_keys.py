"""The city's keys change: retired, compromised, under either root; kiosks follow, and spend no bad grant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiosk import cose, keyset
from kiosk import grant as grants
from kiosk.errors import CentralFault, OfficerFault
from kiosk.grant import Grant, Term
from kiosk.keyset import KeyStatus, KeyUse
from kiosk.rights import take_in
from sync import enrolling
from sync.central import key_admin, key_files
from sync.central.key_files import KEYS_FOLDER
from sync.wire import to_base64
from tests.sync.central_side import RICE
from tests.sync.whole import URL, Kiosk, Whole


def root(whole: Whole, number: int = 1) -> Path:
    """The file of a root key."""
    return whole.central.home / KEYS_FOLDER / f"root{number}.key"


def in_use(whole: Whole) -> str:
    """Id of central's key that signs now."""
    return whole.central.keys.central.kid.hex()


def replace_central_key(whole: Whole, how: Any = key_admin.compromise) -> str:
    """Adds a key for central and declares the one in use; answers the id of the latter."""
    old = in_use(whole)
    key_admin.add(whole.central, KeyUse.CENTRAL, root(whole))
    whole.clock.now += 1
    how(whole.central, old, root(whole))
    assert in_use(whole) != old
    return old


def kid_held(kiosk: Kiosk, right: str = RICE) -> str:
    """Id of the key that signed the grant held."""
    held = kiosk.engine.ledger.right(right)
    assert held is not None
    assert held.held
    return cose.parse(held.grant).kid.hex()


def test_a_new_key_signs_from_the_moment_it_is_told(whole: Whole, kiosk: Kiosk) -> None:
    old = in_use(whole)
    made = key_admin.add(whole.central, KeyUse.CENTRAL, root(whole))
    assert in_use(whole) == made["kid"] != old
    # The kiosk cannot check this answer; it asks for the keyset, which a root key signed.
    assert kiosk.sync() == ""
    assert "/v1/keyset" in whole.line.asked
    assert kiosk.home.keyset().central(bytes.fromhex(made["kid"])) is not None
    assert kid_held(kiosk) == old
    assert kiosk.hand_out().seq


def test_a_key_that_begins_later_is_known_by_then(whole: Whole, kiosk: Kiosk) -> None:
    old = in_use(whole)
    begins = int(whole.clock.now) + 3600
    made = key_admin.add(whole.central, KeyUse.CENTRAL, root(whole), start=begins)
    assert in_use(whole) == old
    assert kiosk.sync() == ""
    whole.clock.now = begins
    assert in_use(whole) == made["kid"]
    assert kiosk.sync() == ""
    assert "/v1/keyset" not in whole.line.asked


def test_what_a_retired_key_signed_holds(whole: Whole, kiosk: Kiosk) -> None:
    old = replace_central_key(whole, key_admin.retire)
    assert kiosk.sync() == ""
    assert kid_held(kiosk) == old
    assert kiosk.home.keyset().speaking_key(bytes.fromhex(old)) is None
    assert kiosk.hand_out().seq
    assert kiosk.sync() == ""
    assert whole.cases() == []


def test_grants_by_a_compromised_key_are_renewed_at_a_higher_epoch(whole: Whole, kiosk: Kiosk) -> None:
    kiosk.hand_out("h2/beras/2026-11")
    before = kiosk.engine.ledger.right(RICE)
    assert before is not None
    old = replace_central_key(whole)
    # Cut off: what it holds stays spendable, it cannot know.
    assert kiosk.holds()
    assert kiosk.sync() == ""
    after = kiosk.engine.ledger.right(RICE)
    assert after is not None
    assert after.epoch > before.epoch
    assert kid_held(kiosk) == in_use(whole) != old
    assert kiosk.hand_out().seq
    assert not kiosk.holds("h2/beras/2026-11")
    assert kiosk.sync() == ""
    assert whole.cases() == []


def test_between_the_keyset_and_the_renewal_nothing_is_spent(whole: Whole, kiosk: Kiosk) -> None:
    replace_central_key(whole)
    assert kiosk.home.take_keyset(key_admin.signed_keyset(whole.central))
    assert not kiosk.holds()
    with pytest.raises(OfficerFault) as fault:
        kiosk.hand_out()
    assert fault.value.code == "right_not_held"
    assert kiosk.sync() == ""
    assert kiosk.hand_out().seq


def test_a_stop_before_the_keyset_is_kept_leaves_no_bad_grant_spendable(
    whole: Whole, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledHere(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledHere

    replace_central_key(whole)
    with monkeypatch.context() as patched:
        patched.setattr("kiosk.enrolment.save_keyset", killed)
        with pytest.raises(KilledHere):
            kiosk.home.take_keyset(key_admin.signed_keyset(whole.central))
    kiosk.stop()
    assert not kiosk.holds()
    assert kiosk.sync() == ""
    assert kiosk.hand_out().seq


def test_a_thiefs_grant_with_a_high_epoch_does_not_shut_the_true_one_out(whole: Whole, kiosk: Kiosk) -> None:
    thief = whole.central.keys.central
    terms = (Term("beras", 1, 1, 1, 99_000),)
    forged = Grant(RICE, "AAA1", 1, (1, 500), 99_000, terms, 0, 2**40, "strict", 0)
    data = grants.make(forged, thief.private, thief.kid)
    opened = grants.open_grant(data, kiosk.home.keyset())
    take_in(kiosk.engine.ledger, [(opened, data)], kiosk="AAA1", gen=1)
    replace_central_key(whole)
    assert kiosk.sync() == ""
    held = kiosk.engine.ledger.right(RICE)
    assert held is not None
    assert (held.held, held.quantity_left, held.epoch) == (True, 10_000, (1, 2))
    with pytest.raises(CentralFault):
        grants.open_grant(data, kiosk.home.keyset())


def test_a_renewal_that_was_cut_short_goes_on(
    whole: Whole, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledHere(BaseException):
        pass

    def killed(*_: object) -> int:
        raise KilledHere

    old = in_use(whole)
    key_admin.add(whole.central, KeyUse.CENTRAL, root(whole))
    with monkeypatch.context() as patched:
        patched.setattr("sync.central.key_renewal.renew", killed)
        with pytest.raises(KilledHere):
            key_admin.compromise(whole.central, old, root(whole))
    whole.clock.now += 60
    assert kiosk.sync() == ""  # a poll lets time do its work at central
    assert kiosk.sync() == ""
    assert kid_held(kiosk) == in_use(whole)


def test_a_right_asked_back_is_renewed_and_still_asked_back(whole: Whole, kiosk: Kiosk) -> None:
    other = whole.enrol("BBB1")
    assert other.sync() == ""
    from sync.wire import RightsRequest

    answer = other.engine.client.ask_rights(RightsRequest(rights=[RICE])).answers[0]
    assert answer.status == "recalled"
    replace_central_key(whole)
    assert kiosk.sync() == ""
    assert kiosk.sync() == ""
    assert not kiosk.holds()
    assert other.sync() == ""
    granted = other.engine.client.ask_rights(RightsRequest(rights=[RICE])).answers[0]
    assert granted.status == "granted"


def test_root_2_speaks_when_root_1_is_compromised(whole: Whole, kiosk: Kiosk) -> None:
    stale = whole.ticket("AAA2")
    root1 = whole.central.keys.root1
    told = key_admin.compromise(whole.central, root1.kid.hex(), root(whole, 2))
    assert (told["use"], told["status"]) == ("root", "compromised")
    assert kiosk.sync() == ""
    assert kiosk.home.keyset().distrusts(root1.public)
    # The thief's keyset, newer than any, is refused by who has heard.
    signer = key_files.read_signer(root(whole, 1))
    whole_keys = list(whole.central.ring.keyset.keys)[:2]
    forged = keyset.make(whole_keys, int(whole.clock.now) + 100, signer.private, signer.kid)
    with pytest.raises(CentralFault) as fault:
        kiosk.home.take_keyset(forged)
    assert (fault.value.code, fault.value.detail["why"]) == ("keyset_refused", "bad_signature")
    # Central itself goes on under root 2 alone; new tickets name it, older ones are told apart.
    with pytest.raises(OfficerFault) as refused:
        key_admin.add(whole.central, KeyUse.ISSUER, root(whole, 1))
    assert refused.value.code == "root_key_compromised"
    assert key_admin.add(whole.central, KeyUse.ISSUER, root(whole, 2))["signs"]
    assert kiosk.sync() == ""
    with pytest.raises(CentralFault) as foreign:
        enrolling.enrol(whole.root / "AAA2", stale, URL, kiosk.clock)
    assert foreign.value.code == "ticket_foreign"
    fresh = whole.enrol("AAA2")
    assert fresh.sync() == ""
    assert fresh.home.keyset().distrusts(root1.public)


def test_older_keysets_and_those_of_the_future_are_not_taken(whole: Whole, kiosk: Kiosk) -> None:
    old = key_admin.signed_keyset(whole.central)
    key_admin.add(whole.central, KeyUse.ISSUER, root(whole))
    assert kiosk.sync() == ""
    assert kiosk.home.take_keyset(old) is False
    issued = kiosk.home.keyset().issued
    signer = key_files.read_signer(root(whole))
    keys = list(whole.central.ring.keyset.keys)
    ahead = keyset.make(keys, int(whole.clock.now) + 40 * 86_400, signer.private, signer.kid)
    with pytest.raises(CentralFault) as fault:
        kiosk.home.take_keyset(ahead, int(whole.clock.now) + 86_400)
    assert fault.value.detail["why"] == "future"
    assert kiosk.home.keyset().issued == issued


@pytest.mark.expects_log("no newer keyset")
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", json.dumps({"keyset": to_base64(b"x")}).encode()])
def test_whoever_answers_for_the_keyset_cannot_do_more_than_nothing(
    whole: Whole, kiosk: Kiosk, body: bytes
) -> None:
    key_admin.add(whole.central, KeyUse.CENTRAL, root(whole))
    whole.line.on_answer = lambda path, status, headers, found: (
        (200, {}, body) if path == "/v1/keyset" else (status, headers, found)
    )
    assert kiosk.sync() == "answer_refused"
    assert kiosk.sync() == "answer_refused"
    assert whole.line.asked.count("/v1/keyset") == 1  # not asked for at every call
    assert kiosk.frozen == ""


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (lambda w: key_admin.retire(w.central, in_use(w), root(w)), "last_key"),
        (lambda w: key_admin.compromise(w.central, in_use(w), root(w)), "last_key"),
        (lambda w: key_admin.retire(w.central, "ffff", root(w)), "unknown_key"),
        (lambda w: key_admin.retire(w.central, "zz", root(w)), "unknown_key"),
        (lambda w: key_admin.retire(w.central, w.central.keys.root2.kid.hex(), root(w)), "root_key_stays"),
        (
            lambda w: key_admin.compromise(w.central, w.central.keys.root1.kid.hex(), root(w)),
            "root_key_compromised",
        ),
        (
            lambda w: key_admin.add(w.central, KeyUse.ISSUER, root(w).with_name("issuer.key")),
            "root_key_foreign",
        ),
        (lambda w: key_admin.add(w.central, KeyUse.ISSUER, root(w).with_name("none")), "keys_unreadable"),
        (
            lambda w: key_admin.add(w.central, KeyUse.ISSUER, root(w).with_name("root1.pub")),
            "root_key_foreign",
        ),
    ],
)
def test_what_cannot_be_done_to_keys(whole: Whole, work: Any, code: str) -> None:
    before = key_admin.signed_keyset(whole.central)
    with pytest.raises(Exception, match=code):
        work(whole)
    assert key_admin.signed_keyset(whole.central) == before


def test_a_compromised_key_stays_that(whole: Whole) -> None:
    old = replace_central_key(whole)
    with pytest.raises(OfficerFault) as fault:
        key_admin.retire(whole.central, old, root(whole))
    assert fault.value.code == "key_compromised"
    told = {row["kid"]: row["status"] for row in key_admin.listed(whole.central)}
    assert told[old] == str(KeyStatus.COMPROMISED)


def test_the_roots_need_not_stay_on_the_server(whole: Whole, tmp_path: Path) -> None:
    safe = tmp_path / "safe.key"
    root(whole, 1).rename(safe)
    root(whole, 2).unlink()
    kiosk = whole.enrol()
    assert kiosk.sync() == ""
    key_admin.add(whole.central, KeyUse.CENTRAL, safe)
    assert kiosk.sync() == ""
