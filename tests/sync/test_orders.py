"""Stop, flush and wipe: by poll, and as the code of a signed refusal; cut off, at the next contact."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from kiosk import enrolment, keystore
from kiosk.errors import CentralFault, EnvironmentFault, OfficerFault
from kiosk.ledger import LEDGER_FILE, OFFICER_DELAYS
from sync import orders
from sync.central import kiosk_orders, kiosk_rows
from sync.central.models import kiosk_order, pickup
from sync.wire import RightsRequest
from tests.sync.central_side import NEXT_RICE, RICE
from tests.sync.whole import Kiosk, Whole


def done(whole: Whole) -> list[tuple[str, str]]:
    """What central knows of orders carried out."""
    with whole.central.database.read() as connection:
        return [(row.what, row.done) for row in connection.execute(select(kiosk_order))]


def listed(whole: Whole) -> tuple[str, str, str]:
    """What people see of AAA1."""
    row = next(one for one in kiosk_rows.listed(whole.central) if one["id"] == "AAA1")
    return row["state"], row["ordered"], row["order_done"]


def refused(kiosk: Kiosk) -> str:
    """Why nothing is handed out here."""
    with pytest.raises(OfficerFault) as fault:
        kiosk.hand_out()
    return str(fault.value.detail["why"])


def refs(whole: Whole) -> list[str]:
    with whole.central.database.read() as connection:
        return sorted(connection.execute(select(pickup.c.ref)).scalars())


def test_a_stopped_kiosk_sends_all_and_goes_on_when_resumed(whole: Whole, kiosk: Kiosk) -> None:
    kiosk.hand_out()
    kiosk_orders.stop(whole.central, "AAA1")
    assert kiosk.sync() == ""
    assert refused(kiosk) == "kiosk_stopped"
    assert kiosk.sync() == ""
    assert kiosk.sync() == ""
    assert done(whole) == [("stop", "flushed")]
    assert refs(whole) == ["AAA1-0001"]
    assert kiosk.home.counter(kiosk.clock).status().frozen == "kiosk_stopped"
    # It keeps what it holds, gets nothing new, and can be resumed.
    assert kiosk.holds(NEXT_RICE)
    kiosk_orders.resume(whole.central, "AAA1")
    assert kiosk.sync() == ""
    assert (kiosk.frozen, done(whole)) == ("", [])
    assert kiosk.hand_out("h2/beras/2026-11").seq
    assert kiosk.sync() == ""
    assert whole.cases() == []


def test_a_stop_comes_as_the_code_of_a_refusal_too(whole: Whole, kiosk: Kiosk) -> None:
    kiosk_orders.stop(whole.central, "AAA1")
    with pytest.raises(CentralFault) as fault:
        kiosk.engine.client.ask_rights(RightsRequest(rights=[RICE]))
    kiosk.engine.heed(fault.value)
    assert refused(kiosk) == "kiosk_stopped"


def test_only_an_active_kiosk_is_stopped_and_only_a_stopped_one_resumed(whole: Whole, kiosk: Kiosk) -> None:
    for work, name, code in (
        (kiosk_orders.resume, "AAA1", "kiosk_not_stopped"),
        (kiosk_orders.stop, "AAA2", "kiosk_not_active"),
        (kiosk_orders.stop, "ZZZ9", "unknown_kiosk"),
        (kiosk_orders.resume, "ZZZ9", "unknown_kiosk"),
    ):
        with pytest.raises(OfficerFault) as fault:
            work(whole.central, name)
        assert fault.value.code == code


def test_a_revoked_kiosk_sends_all_then_wipes_and_says_so(whole: Whole, kiosk: Kiosk) -> None:
    kiosk.hand_out()
    with kiosk.engine.ledger.writing() as connection:
        connection.execute(f"INSERT INTO {OFFICER_DELAYS} VALUES ('ani', 1, 1, 1, 'boot')")
    secret = kiosk.home.keys.officer_pepper
    kiosk_rows.revoke(whole.central, "AAA1")
    assert kiosk.sync() == "kiosk_revoked"
    assert refused(kiosk) == "kiosk_revoked"
    assert refs(whole) == ["AAA1-0001"]
    left = {path.name for path in kiosk.path.iterdir()}
    assert not [name for name in left if name.startswith("cache.") and name.endswith(".db")]
    assert "cache.current" not in left
    assert keystore.PEPPER_FILE_NAME not in left
    assert kiosk.engine.ledger.row(f"SELECT count(*) FROM {OFFICER_DELAYS}")[0] == 0
    assert keystore.load(kiosk.path).officer_pepper != secret
    assert {LEDGER_FILE, keystore.FILE_NAME, enrolment.FILE_NAME} <= left
    # Told at the next contact, and pushing goes on working.
    kiosk.stop()
    kiosk.note()
    assert kiosk.sync() == "kiosk_revoked"
    assert done(whole) == [("revoke", "wiped")]
    assert listed(whole) == ("revoked", "revoke", "wiped")
    assert kiosk.engine.ledger.waiting() == 0
    status = kiosk.home.counter(kiosk.clock).status()
    assert (status.frozen, status.warnings[:1]) == ("kiosk_revoked", status.warnings[:1])
    with pytest.raises(EnvironmentFault, match="cache_missing"):
        kiosk.engine.caches.current()


def test_a_kiosk_that_was_cut_off_is_revoked_at_its_next_contact(whole: Whole, kiosk: Kiosk) -> None:
    kiosk_rows.revoke(whole.central, "AAA1")
    kiosk.hand_out()
    whole.line.lose_requests = 1
    assert kiosk.sync() == "central_unreachable"
    assert kiosk.hand_out("h2/beras/2026-11").seq
    assert kiosk.sync() == "kiosk_revoked"
    assert refs(whole) == ["AAA1-0001", "AAA1-0002"]
    assert not kiosk.engine.caches.has_files()


def test_a_wipe_does_not_wait_for_a_journal_that_cannot_be_sent(whole: Whole, kiosk: Kiosk) -> None:
    kiosk.hand_out()
    kiosk_rows.revoke(whole.central, "AAA1")
    whole.line.on_answer = lambda path, status, headers, body: (
        (503, {}, b"") if path == "/v1/journal" else (status, headers, body)
    )
    with pytest.raises(CentralFault) as fault:
        kiosk.engine.poll(0.0)
    kiosk.engine.heed(fault.value)
    assert not kiosk.engine.caches.has_files()
    assert kiosk.engine.ledger.waiting() == 1
    whole.line.on_answer = lambda path, status, headers, body: (status, headers, body)
    assert kiosk.sync() == "kiosk_revoked"
    assert kiosk.engine.ledger.waiting() == 0
    assert refs(whole) == ["AAA1-0001"]


def test_a_stop_within_the_wipe_is_mended_by_the_next_poll(
    whole: Whole, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledHere(BaseException):
        pass

    def killed(_: Path) -> None:
        raise KilledHere

    kiosk_rows.revoke(whole.central, "AAA1")
    with monkeypatch.context() as patched:
        patched.setattr(keystore, "forget_pepper", killed)
        with pytest.raises(KilledHere):
            kiosk.sync()
    assert (kiosk.path / keystore.PEPPER_FILE_NAME).exists()
    kiosk.stop()
    assert kiosk.sync() == "kiosk_revoked"
    assert not (kiosk.path / keystore.PEPPER_FILE_NAME).exists()


def test_a_revoked_machine_is_a_kiosk_again_after_another_enrolment(whole: Whole, kiosk: Kiosk) -> None:
    kiosk.hand_out()
    kiosk_rows.revoke(whole.central, "AAA1")
    assert kiosk.sync() == "kiosk_revoked"
    before = kiosk.home.bundle.enrolment
    kiosk.note()
    kiosk.stop()
    again = whole.enrol("AAA1")
    after = again.home.bundle.enrolment
    assert (before.gen, after.gen) == (1, 2)
    assert before.public != after.public
    assert (again.frozen, again.engine.ledger.meta(orders.DONE_META)) == ("", "")
    assert again.sync() == ""
    # The journal of the first generation goes on being taken, signed by its own key.
    assert again.engine.ledger.waiting() == 0
    assert again.engine.caches.is_sound()
    assert again.note().seq == 1
    assert again.sync() == ""
    # What the first generation held stays in doubt: nothing of it can be spent.
    assert not again.holds()
    assert whole.cases() == []


def test_an_order_that_is_not_known_changes_nothing(whole: Whole, kiosk: Kiosk) -> None:
    orders.obey(kiosk.engine, "explode")
    assert kiosk.frozen == ""
    assert kiosk.hand_out().seq
