"""A device's key rolls within its journal, whatever stops in between, on both ends of the wire."""

from __future__ import annotations

from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import durable_file, key_roll, keystore
from kiosk.errors import CentralFault, OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.journal_format import rolled_to, verify_record
from kiosk.journal_walk import verify_journal
from kiosk.keystore import public_of
from kiosk.ledger import JOURNAL
from sync.central import key_rows
from tests.sync.whole import Kiosk, Whole


def roll(kiosk: Kiosk) -> bytes:
    """Rolls the key in a process of its own; answers the new public key."""
    return rolled_to(key_roll.roll(kiosk.path, kiosk.journal, "budi"))


def signers(kiosk: Kiosk) -> list[bytes]:
    """Who signed each record, by trying every key this device has."""
    keys = kiosk.home.signers()
    rows = kiosk.engine.ledger.rows(f"SELECT record, signature FROM {JOURNAL} ORDER BY gen, seq")
    found = []
    for record, signature in rows:
        for key in keys:
            try:
                verify_record(bytes(record), bytes(signature), key.public_key())
            except ValueError:
                continue
            found.append(public_of(key))
    return found


def known_at_central(whole: Whole, gen: int = 1) -> list[tuple[int, bytes, bool]]:
    with whole.central.database.read() as connection:
        keys = key_rows.of_generation(connection, "AAA1", gen)
    return [(key.from_seq, key.public, key.used) for key in keys]


def test_records_and_requests_go_over_to_the_new_key(whole: Whole, kiosk: Kiosk) -> None:
    first = kiosk.home.bundle.enrolment.public
    journal = kiosk.journal  # of a process that was started before
    kiosk.note()
    new = roll(kiosk)
    journal.append(lambda _: Draft(type="note"))
    kiosk.note()
    assert signers(kiosk) == [first, first, new, new]
    assert verify_journal(kiosk.engine.ledger)["intact"]
    assert kiosk.sync() == ""
    assert known_at_central(whole) == [(1, first, True), (3, new, True)]
    assert kiosk.engine.ledger.waiting() == 0
    kiosk.stop()
    kiosk.note()
    assert kiosk.sync() == ""
    assert whole.cases() == []


def test_the_old_key_asks_until_central_has_the_record_and_was_asked_by_the_new(
    whole: Whole, kiosk: Kiosk
) -> None:
    roll(kiosk)
    kiosk.engine.poll(0.0)
    assert [used for _, _, used in known_at_central(whole)] == [True]
    kiosk.engine._pusher.push_all()  # the record is there; this process has asked by the old key only
    assert [used for _, _, used in known_at_central(whole)] == [True, False]
    kiosk.engine.poll(0.0)
    assert [used for _, _, used in known_at_central(whole)] == [True, False]
    kiosk.engine.push_all()
    kiosk.engine.poll(0.0)
    assert [used for _, _, used in known_at_central(whole)] == [True, True]


@pytest.mark.parametrize("lost", ["request", "reply"])
def test_a_push_that_is_lost_is_made_again_by_a_key_that_central_knows(
    whole: Whole, kiosk: Kiosk, lost: str
) -> None:
    roll(kiosk)
    kiosk.note()
    if lost == "request":
        whole.line.lose_requests = 1
    else:
        whole.line.lose_replies = 1
    assert kiosk.sync() == "central_unreachable"
    assert key_roll.is_acknowledged(kiosk.engine.ledger, 1) is False
    kiosk.stop()
    assert kiosk.sync() == ""
    assert key_roll.is_acknowledged(kiosk.engine.ledger, 1) is True
    assert [used for _, _, used in known_at_central(whole)] == [True, True]


class Killed(BaseException):
    """The process is gone."""


KILL_POINTS = {
    "before the key is written": (keystore, "add_device_key"),
    "before the key's file has its name": (durable_file, "_write_new"),
    "with the key durable, before the record": (Journal, "append"),
}


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_stop_on_the_way_to_the_record_leaves_the_old_key_in_force(
    whole: Whole, kiosk: Kiosk, point: str
) -> None:
    first = kiosk.home.bundle.enrolment.public
    owner, name = KILL_POINTS[point]
    with mock.patch.object(owner, name, side_effect=Killed), pytest.raises(Killed):
        roll(kiosk)
    kiosk.stop()
    kiosk.note()
    assert signers(kiosk) == [first]
    left = [public_of(key) for key in kiosk.home.signers()]
    assert kiosk.sync() == ""
    new = roll(kiosk)
    # A key that was left over is taken up, so that keys do not pile up.
    assert (new == left[0]) is (point == "with the key durable, before the record")
    assert kiosk.sync() == ""
    assert known_at_central(whole)[-1] == (3, new, True)


def test_a_stop_within_the_record_leaves_no_half_of_it(whole: Whole, kiosk: Kiosk) -> None:
    first = kiosk.home.bundle.enrolment.public
    with mock.patch("kiosk.journal.make_effect", side_effect=Killed), pytest.raises(Killed):
        roll(kiosk)
    kiosk.stop()
    kiosk.note()
    assert signers(kiosk) == [first]
    assert verify_journal(kiosk.engine.ledger)["intact"]


def test_a_stop_after_the_record_goes_on_by_the_new_key(whole: Whole, kiosk: Kiosk) -> None:
    new = roll(kiosk)
    kiosk.stop()
    kiosk.note()
    assert signers(kiosk)[-1] == new
    assert kiosk.sync() == ""


def test_one_roll_at_a_time(whole: Whole, kiosk: Kiosk) -> None:
    first = kiosk.home.bundle.enrolment.public
    roll(kiosk)
    with pytest.raises(OfficerFault) as fault:
        roll(kiosk)
    assert fault.value.code == "key_roll_waiting"
    assert kiosk.sync() == ""
    third = roll(kiosk)
    assert kiosk.sync() == ""
    assert known_at_central(whole)[0][1] == first
    assert known_at_central(whole)[2][1:] == (third, True)


def test_a_central_that_lost_the_record_is_asked_by_the_old_key_again(whole: Whole, kiosk: Kiosk) -> None:
    """Restored from a backup that was made before the roll."""
    kiosk.note()
    assert kiosk.sync() == ""
    roll(kiosk)
    assert kiosk.sync() == ""
    from sqlalchemy import delete, update

    from sync.central.models import journal, kiosk_gen, kiosk_key

    with whole.central.database.read() as connection:
        rows = connection.execute(journal.select().order_by(journal.c.seq)).all()
    head = rows[0].hash

    def forget(connection: object) -> None:
        connection.execute(delete(kiosk_key))  # type: ignore[attr-defined]
        connection.execute(delete(journal).where(journal.c.seq > 1))  # type: ignore[attr-defined]
        connection.execute(update(kiosk_gen).values(acked_seq=1, head=head))  # type: ignore[attr-defined]

    whole.central.database.write(forget)
    assert kiosk.sync() == ""  # finds out
    assert kiosk.sync() == ""  # sends again
    assert kiosk.engine.ledger.waiting() == 0
    assert len(known_at_central(whole)) == 2


def test_a_copy_with_the_old_key_is_fenced_and_what_it_handed_out_is_kept(whole: Whole, kiosk: Kiosk) -> None:
    copy = whole.copy(kiosk, "copy")
    roll(kiosk)
    assert kiosk.sync() == ""
    copy.hand_out()
    with pytest.raises(CentralFault) as fault:
        copy.engine.poll(0.0)
    copy.engine.heed(fault.value)
    assert (fault.value.code, copy.frozen) == ("key_rolled", "device_key_rolled")
    assert copy.sync() != ""
    assert copy.engine.ledger.waiting() == 0
    assert copy.frozen == "journal_fork"
    assert whole.cases() == ["fork", "not_held"]
    with whole.central.database.read() as connection:
        from sync.central.models import pickup

        refs = [row.ref for row in connection.execute(pickup.select())]
    assert len(refs) == 1
    assert refs[0].startswith("AAA1-0001~")
    assert kiosk.sync() in ("kiosk_frozen", "journal_fork")
    assert kiosk.frozen


def test_a_strangers_signature_is_no_key_of_the_kiosks(whole: Whole, kiosk: Kiosk) -> None:
    kiosk.engine.client.use_key(Ed25519PrivateKey.generate())
    assert kiosk.sync() == ""  # tries its own after that
    kiosk.engine.client.use_key(Ed25519PrivateKey.generate())
    with mock.patch.object(kiosk.engine.client, "_other_keys", tuple), pytest.raises(CentralFault) as fault:
        kiosk.engine.poll(0.0)
    assert fault.value.code == "bad_signature"
    assert kiosk.frozen == ""
