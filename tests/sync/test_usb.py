"""The exchange by file: all that a wire would do, the same checks, and nothing lost whatever is refused."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from kiosk import cose, enrolment, freezing, keyset
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.keyset import Key, KeyStatus, KeyUse
from kiosk.ledger import JOURNAL
from sync import usb as file_format
from sync.central import acquire, enrol, key_admin, key_files, kiosk_rows, usb
from sync.central.key_files import Signer
from sync.central.models import journal, journal_branch, journal_private, kiosk_gen
from sync.central.state import Central
from sync.usb import read_answer, read_export, write_answer
from sync.usb_commands import verify_file
from sync.wire import EnrolRequest
from tests.sync.central_side import RICE, Clock, place
from tests.sync.served_central import KioskClock
from tests.sync.usb_town import HomeAt, carry, copied_central


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, clock: Clock) -> Iterator[Central]:
    """A central on SQLite."""
    template = tmp_path_factory.getbasetemp() / "usb-town"
    made = copied_central(template, tmp_path / "central", clock)
    yield made
    made.close()


@pytest.fixture
def kiosk(town: Central, tmp_path: Path, clock: Clock) -> Iterator[HomeAt]:
    """AAA1, which no wire reaches."""
    made = HomeAt(town, "AAA1", tmp_path / "AAA1", KioskClock(clock))
    yield made
    made.close()


def stored(central: Central, gen: int = 1) -> list[int]:
    """Sequence numbers of what central has of AAA1."""
    with central.database.read() as connection:
        query = select(journal.c.seq).where(journal.c.kiosk == "AAA1", journal.c.gen == gen)
        return list(connection.execute(query.order_by(journal.c.seq)).scalars())


def refused(code: str) -> pytest.RaisesExc[CentralFault]:
    return pytest.raises(CentralFault, check=lambda fault: fault.code == code)


def test_there_and_back(central: Central, tmp_path: Path, clock: Clock) -> None:
    kiosk = HomeAt(central, "AAA1", tmp_path / "AAA1", KioskClock(clock))
    place(central)
    kiosk.note(3, private="ibu Sri")
    done = carry(central, kiosk.export())
    assert (done.records, stored(central), usb.as_json(done)["acked"]) == (3, [1, 2, 3], {"1": 3})
    kiosk.note()  # while the file was on its way
    taken = kiosk.acknowledge(done.answer)
    assert (taken.acknowledged, taken.waiting, taken.grants, taken.refused) == (3, 1, 4, "")
    with central.database.read() as connection:
        assert list(connection.execute(select(journal_private.c.text)).scalars()) == ["ibu Sri"] * 3
    kiosk.dispense(RICE, 10_000)
    taken = kiosk.exchange()
    assert (taken.acknowledged, taken.waiting, taken.grants) == (2, 0, 0)
    assert stored(central) == [1, 2, 3, 4, 5]
    assert kiosk.exchange().acknowledged == 0
    kiosk.close()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    """Central takes a file's records in by so many."""
    monkeypatch.setattr(usb, "BATCH_RECORDS", 20)
    return 20


def test_many_records_in_one_file(town: Central, kiosk: HomeAt, small_batches: int) -> None:
    kiosk.note(small_batches * 2 + 7, private="rahasia")
    taken = kiosk.exchange()
    assert (taken.acknowledged, taken.waiting) == (small_batches * 2 + 7, 0)
    assert len(stored(town)) == small_batches * 2 + 7
    with town.database.read() as connection:
        assert len(list(connection.execute(select(journal_private.c.text)))) == small_batches * 2 + 7


def test_what_central_asks_for_is_done_and_told_in_the_next_file(
    town: Central, kiosk: HomeAt, tmp_path: Path, clock: Clock
) -> None:
    place(town)
    kiosk.exchange()
    other = HomeAt(town, "BBB1", tmp_path / "BBB1", KioskClock(clock))
    acquire.acquire(town, "BBB1", 1, [RICE])  # a citizen stands there: the right is called back
    assert kiosk.exchange().orders == 1
    held = kiosk.ledger.right(RICE)
    assert held is not None
    assert not held.held
    assert kiosk.exchange().acknowledged == 1
    assert acquire.acquire(town, "BBB1", 1, [RICE])[0].status == "granted"
    other.close()


def test_a_file_counts_once_and_a_stop_before_the_answer_was_kept_is_repeated(
    town: Central, kiosk: HomeAt
) -> None:
    kiosk.note(2)
    path = kiosk.export()
    first = usb.take_in(town, path.read_bytes())  # stopped here: nothing was answered
    second = carry(town, path)
    assert (first.records, second.told.journals) == (2, second.told.journals)
    with refused("replayed"):
        usb.take_in(town, path.read_bytes())
    assert stored(town) == [1, 2]
    assert kiosk.acknowledge(second.answer).waiting == 0
    with refused("replayed"):
        kiosk.acknowledge(second.answer)
    with refused("replayed"):
        kiosk.acknowledge(first.answer)


def test_an_answer_to_an_older_file_takes_nothing_back(town: Central, kiosk: HomeAt) -> None:
    kiosk.note(2)
    older = carry(town, kiosk.export()).answer
    kiosk.note(2)
    newer = carry(town, kiosk.export()).answer
    assert kiosk.acknowledge(newer).waiting == 0
    with refused("replayed"):
        kiosk.acknowledge(older)
    assert kiosk.ledger.acked(1) == 4


def test_a_file_is_never_written_over(kiosk: HomeAt) -> None:
    path = kiosk.export()
    kiosk.files = 0
    with pytest.raises(EnvironmentFault) as fault:
        kiosk.export()
    assert fault.value.code == "export_failed"
    assert read_export(path.read_bytes()).count == 0


# -- malformed --


@pytest.mark.parametrize("keep", [0, 1, 30, 0.5, -1])
def test_a_file_that_was_cut_is_refused(town: Central, kiosk: HomeAt, keep: float) -> None:
    kiosk.note(5)
    data = kiosk.export().read_bytes()
    cut = data[: int(len(data) * keep) if 0 < keep < 1 else int(keep)]
    with refused("file_malformed"):
        usb.take_in(town, cut)
    assert stored(town) == []


def lines_of(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


def packed(lines: list[bytes]) -> bytes:
    return gzip.compress(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:2] + lines[3:],  # a record left out
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [lines[0].replace(b'"gen":1', b'"gen":2'), *lines[1:]],
        lambda lines: [lines[0].replace(b"AAA1", b"BBB1"), *lines[1:]],
        lambda lines: [lines[0].replace(b'"from_seq":1', b'"from_seq":2'), *lines[1:]],
        lambda lines: lines[:-1],
        lambda lines: [lines[-1]],
        lambda lines: [*lines[:-1], b"{}"],
        lambda lines: [b"[]", *lines],
        lambda lines: [*lines, b"\xff\xfe"],
        lambda lines: [line.replace(b"ibu", b"abu") for line in lines],
    ],
)
def test_a_file_that_was_changed_is_refused(
    town: Central, kiosk: HomeAt, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    kiosk.note(3, private="ibu")
    path = kiosk.export()
    with refused("file_malformed"):
        usb.take_in(town, packed(change(lines_of(path))))
    assert stored(town) == []
    assert carry(town, path).records == 3  # the true one is still good


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_other_bytes_are_refused_by_name(kiosk: HomeAt, data: st.DataObject) -> None:
    if not (path := kiosk.path / "1.kmcj").exists():
        kiosk.note(3, private="ibu")
        kiosk.export()
    lines = lines_of(path)
    at = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[at]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != lines[at][place]))
    lines[at] = lines[at][:place] + bytes([byte]) + lines[at][place + 1 :]
    with pytest.raises(CentralFault) as fault:
        believed(packed(lines), kiosk)
    assert fault.value.code in ("file_malformed", "bad_signature")


def believed(data: bytes, kiosk: HomeAt) -> None:
    """What central does before it looks at any record."""
    file_format.check_seal(read_export(data).message, [kiosk.home.bundle.enrolment.public])


def test_a_file_that_would_fill_the_memory_is_not_unpacked(
    town: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_format, "MAX_PLAIN_BYTES", 1_000_000)
    with refused("file_too_large"):
        usb.take_in(town, gzip.compress(bytes(1_000_001)))


def changed(answer: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(answer) | fields).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[:-20], "file_malformed"),
        (lambda data: b"", "file_malformed"),
        (lambda data: b"[1]", "file_malformed"),
        (lambda data: b"[" * 100_000, "file_malformed"),
        (lambda data: changed(data, signed="AAAA"), "file_malformed"),
        (lambda data: changed(data, kind="journal"), "file_malformed"),
        (lambda data: changed(data, nonce="0" * 32), "bad_signature"),
        (lambda data: changed(data, journals=[]), "bad_signature"),
        (lambda data: changed(data, kiosk="BBB1"), "bad_signature"),
        (lambda data: changed(data, more=1), "bad_signature"),
    ],
)
def test_an_answer_that_was_changed_is_refused(
    town: Central, kiosk: HomeAt, change: Callable[[bytes], bytes], code: str
) -> None:
    kiosk.note(2)
    answer = carry(town, kiosk.export()).answer
    with refused(code):
        kiosk.acknowledge(change(answer))
    assert kiosk.ledger.waiting() == 2
    assert kiosk.acknowledge(answer).waiting == 0


# -- other kiosks, generations and keys --


def test_another_kiosks_answer_is_refused(town: Central, kiosk: HomeAt, tmp_path: Path, clock: Clock) -> None:
    other = HomeAt(town, "BBB1", tmp_path / "BBB1", KioskClock(clock))
    other.note()
    kiosk.note()
    answer = carry(town, other.export()).answer
    with refused("other_kiosk"):
        kiosk.acknowledge(answer)
    assert other.acknowledge(answer).waiting == 0
    other.close()


def test_another_generations_answer_is_refused_and_its_records_go_out_again(
    town: Central, kiosk: HomeAt
) -> None:
    kiosk.note(3)
    answer = carry(town, kiosk.export()).answer
    kiosk.close()
    kiosk.enrol()
    kiosk.note(2)
    with refused("other_generation"):
        kiosk.acknowledge(answer)
    assert kiosk.ledger.waiting() == 5
    path = kiosk.export()
    assert kiosk.exported.sections == {1: 1, 2: 1}
    assert kiosk.acknowledge(carry(town, path).answer).acknowledged == 5
    assert (stored(town, 1), stored(town, 2), kiosk.ledger.meta("frozen")) == ([1, 2, 3], [1, 2], "")


def resealed(path: Path, key: Ed25519PrivateKey, **claims: Any) -> bytes:
    """The same file sealed by another key, or with other claims."""
    export = read_export(path.read_bytes())
    seal = replace(export.seal, **claims)
    sections = []
    for section in export.sections:
        lines = [json.loads(line) for line in lines_of(path)[1:-1]]
        sections.append((section.head.model_copy(update={"kiosk": seal.kiosk}), iter(lines)))
    return file_format.write_export(sections, seal, key)


def test_a_file_that_its_kiosk_did_not_seal_is_refused(town: Central, kiosk: HomeAt) -> None:
    kiosk.note()
    path = kiosk.export()
    own = kiosk.home.identity().key
    with refused("bad_signature"):
        usb.take_in(town, resealed(path, Ed25519PrivateKey.generate()))
    for claims in ({"gen": 7}, {"kiosk": "ZZZ1"}):
        with refused("unknown_key"):
            usb.take_in(town, resealed(path, own, **claims))
    enrol_second(town)
    with refused("bad_signature"):
        usb.take_in(town, resealed(path, own, kiosk="AAA2"))
    assert stored(town) == []
    assert carry(town, path).records == 1


def enrol_second(town: Central) -> None:
    """AAA2 is a kiosk too, with a key of its own."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    enrol.enrol(town, EnrolRequest(ticket=kiosk_rows.new_ticket(town, "AAA2"), public=public))


def test_a_file_from_the_future_is_refused_until_the_clock_is_set(
    town: Central, kiosk: HomeAt, clock: Clock
) -> None:
    kiosk.note(2)
    clock.now += 3600
    path = kiosk.export()
    clock.now -= 3600
    with refused("clock"):
        usb.take_in(town, path.read_bytes())
    assert kiosk.exchange().waiting == 0


def test_an_image_that_came_back_learns_it_from_an_answer_it_never_asked_for(
    town: Central, kiosk: HomeAt, tmp_path: Path
) -> None:
    kiosk.note(2)
    kiosk.exchange()
    kiosk.close()
    shutil.copytree(kiosk.path, tmp_path / "image")
    kiosk.open()
    kiosk.note(3)
    answer = carry(town, kiosk.export()).answer
    kiosk.close()
    shutil.rmtree(kiosk.path)
    shutil.copytree(tmp_path / "image", kiosk.path)
    kiosk.open()
    with refused("ledger_rolled_back"):
        kiosk.acknowledge(answer)
    assert kiosk.ledger.meta("frozen") == freezing.ROLLED_BACK


def test_an_answer_to_nothing_is_refused(town: Central, kiosk: HomeAt) -> None:
    kiosk.note(2)
    answer, _ = read_answer(carry(town, kiosk.export()).answer)
    signer = town.keys.central
    other = answer.model_copy(update={"nonce": "0" * 32})
    with refused("unknown_export"):
        kiosk.acknowledge(write_answer(other, signer.private, signer.kid))
    assert (kiosk.ledger.waiting(), kiosk.ledger.meta("frozen")) == (2, "")


def test_a_strangers_answer_is_refused(town: Central, kiosk: HomeAt) -> None:
    kiosk.note()
    answer, _ = read_answer(carry(town, kiosk.export()).answer)
    stranger = Ed25519PrivateKey.generate()
    with refused("unknown_key"):
        kiosk.acknowledge(write_answer(answer, stranger, b"stranger"))
    with refused("bad_signature"):
        kiosk.acknowledge(write_answer(answer, stranger, town.keys.central.kid))


def root(town: Central, name: str) -> tuple[Ed25519PrivateKey, bytes]:
    """A root key of the city, and its id."""
    signer = key_files.root_signer(town.home / "keys" / f"{name}.key", town.keys)
    return signer.private, signer.kid


@pytest.mark.parametrize("status", [KeyStatus.RETIRED, KeyStatus.COMPROMISED])
def test_an_answer_by_a_key_that_speaks_no_more_is_refused(
    town: Central, kiosk: HomeAt, clock: Clock, status: KeyStatus
) -> None:
    """Even one that claims to be older: who holds such a key chooses the time."""
    kiosk.note()
    answer, _ = read_answer(carry(town, kiosk.export()).answer)
    old, start, until = town.keys.central, 1, int(clock.now) + 10**8
    issuer = town.keys.issuer
    fresh = keyset.make(
        [
            Key(old.kid, KeyUse.CENTRAL, old.public, start, until, status, int(clock.now) + 5),
            Key(issuer.kid, KeyUse.ISSUER, issuer.public, start, until),
        ],
        int(clock.now) + 10,
        *root(town, "root1"),
    )
    enrolment.save_keyset(kiosk.path, kiosk.home.bundle, fresh)
    older = answer.model_copy(update={"time_ms": int(clock.now - 1000) * 1000})
    for one in (answer, older):
        with refused("key_refused"):
            kiosk.acknowledge(write_answer(one, old.private, old.kid))
    assert kiosk.ledger.waiting() == 1
    assert kiosk.home.key_warnings() == (f"central_key_{status}",)


def test_rights_by_a_new_key_come_with_the_keyset_that_names_it(
    town: Central, kiosk: HomeAt, clock: Clock
) -> None:
    old = town.keys.central.kid
    clock.now += 60
    key_admin.add(town, KeyUse.CENTRAL, town.home / "keys" / "root1.key")
    new = town.keys.central.kid
    assert new != old
    assert kiosk.home.keyset().central(new) is None
    done = kiosk.exchange()
    assert (done.refused, done.grants > 0) == ("", True)
    assert kiosk.home.keyset().central(new) is not None
    held = kiosk.ledger.right(RICE)
    assert held is not None
    assert held.held
    assert cose.parse(held.grant).kid == new


def test_an_answer_by_file_tells_the_time_as_far_as_it_proves_it(
    town: Central, kiosk: HomeAt, clock: Clock
) -> None:
    now_ms = int(clock.now * 1000)
    clock.now += 10 * 86_400
    kiosk.note()  # by a clock ten days ahead
    clock.now -= 10 * 86_400
    path = kiosk.export()
    kiosk.note()
    kiosk.acknowledge(carry(town, path).answer)
    assert kiosk.ledger.meta("highest_wall_ms") == kiosk.ledger.meta("central_heard_ms") == str(now_ms)
    path = kiosk.export()
    clock.now += 86_400
    kiosk.note()  # after the file was written: this may well be true
    clock.now -= 86_400
    kiosk.acknowledge(carry(town, path).answer)
    assert kiosk.ledger.meta("highest_wall_ms") == str(now_ms + 86_400_000)


def test_a_new_key_of_central_comes_with_its_answer(town: Central, kiosk: HomeAt, clock: Clock) -> None:
    kiosk.note()
    answer, _ = read_answer(carry(town, kiosk.export()).answer)
    private = Ed25519PrivateKey.generate()
    signer = Signer(private, b"new", private.public_key().public_bytes_raw())
    start, until = int(clock.now) - 1000, int(clock.now) + 10**8
    old = town.keys.central
    fresh = keyset.make(
        [
            Key(old.kid, KeyUse.CENTRAL, old.public, start, until, KeyStatus.RETIRED, int(clock.now)),
            Key(signer.kid, KeyUse.CENTRAL, signer.public, start, until),
        ],
        int(clock.now) + 10,
        *root(town, "root2"),
    )
    rolled = answer.model_copy(update={"keyset": fresh, "poll": None})
    assert kiosk.acknowledge(write_answer(rolled, signer.private, signer.kid)).waiting == 0
    assert kiosk.home.keyset().central(b"new") is not None


# -- forks, refusals, a central set back --


def test_a_copy_of_a_kiosk_is_told_apart_and_all_it_has_is_kept(
    town: Central, kiosk: HomeAt, tmp_path: Path, small_batches: int
) -> None:
    kiosk.note(2)
    kiosk.exchange()
    kiosk.close()
    shutil.copytree(kiosk.path, tmp_path / "copy")
    kiosk.open()
    kiosk.note(3)
    kiosk.exchange()
    kiosk.close()
    shutil.rmtree(kiosk.path)
    shutil.copytree(tmp_path / "copy", kiosk.path)
    kiosk.open()
    kiosk.note(small_batches * 2 + 5, private="salinan")
    taken = kiosk.exchange()
    assert (taken.waiting, taken.refused) == (0, "kiosk_frozen")
    assert kiosk.ledger.meta("frozen") == freezing.FORKED
    with town.database.read() as connection:
        beside = list(connection.execute(select(journal_branch.c.seq)).scalars())
    assert (stored(town), len(beside)) == ([1, 2, 3, 4, 5], small_batches * 2 + 5)


def test_a_revoked_kiosk_is_told_so_and_its_journal_is_taken(town: Central, kiosk: HomeAt) -> None:
    kiosk.note(2)
    kiosk_rows.revoke(town, "AAA1")
    taken = kiosk.exchange()
    assert (taken.waiting, taken.refused) == (0, "kiosk_revoked")
    assert kiosk.ledger.meta("frozen") == freezing.REVOKED
    assert stored(town) == [1, 2]


def test_a_central_that_was_set_back_gets_everything_again(town: Central, kiosk: HomeAt) -> None:
    kiosk.note(5)
    kiosk.exchange()
    kiosk.note(1)
    head = kiosk.ledger.row(f"SELECT hash FROM {JOURNAL} WHERE seq = 2")[0]

    def forget(connection: Any) -> None:
        connection.execute(delete(journal).where(journal.c.seq > 2))
        connection.execute(update(kiosk_gen).values(acked_seq=2, head=head))

    town.database.write(forget)
    assert kiosk.exchange().acknowledged == 0
    assert (kiosk.ledger.acked(1), kiosk.ledger.waiting(), kiosk.ledger.meta("frozen")) == (2, 4, "")
    assert kiosk.exchange().waiting == 0
    assert stored(town) == [1, 2, 3, 4, 5, 6]


# -- checking a file --


def test_a_file_can_be_checked_like_the_ledger(town: Central, kiosk: HomeAt) -> None:
    place(town)
    kiosk.note(2)
    kiosk.exchange()
    kiosk.dispense(RICE, 10_000)
    kiosk.note()
    answer = verify_file(kiosk.export(), kiosk.home)
    assert (answer["intact"], answer["records"], answer["heads"]["1"]["seq"]) == (True, 2, 4)
    assert verify_file(kiosk.export(everything=True), kiosk.home)["records"] == 4


def test_an_overspend_in_a_file_is_named(town: Central, kiosk: HomeAt) -> None:
    place(town)
    kiosk.exchange()
    kiosk.dispense(RICE, 10_000)
    kiosk.ledger.db.conn.execute("UPDATE rights SET granted = 20000, quantity_left = 10000")
    kiosk.dispense(RICE, 10_000)
    (found,) = verify_file(kiosk.export(), kiosk.home)["findings"]
    named = (found["code"], found["right"], found["granted"], found["spent"])
    assert named == ("overspend", RICE, 10_000, 20_000)
    assert found["refs"] == ["AAA1-0001", "AAA1-0002"]


def test_a_file_of_a_copy_is_a_fork(kiosk: HomeAt, tmp_path: Path) -> None:
    kiosk.note(2)
    kiosk.close()
    shutil.copytree(kiosk.path, tmp_path / "copy")
    kiosk.open()
    kiosk.note(2)
    path = kiosk.export().rename(tmp_path / "file.kmcj")
    kiosk.close()
    shutil.rmtree(kiosk.path)
    shutil.copytree(tmp_path / "copy", kiosk.path)
    kiosk.open()
    kiosk.note(1, private="lain")
    findings = verify_file(path, kiosk.home)["findings"]
    assert [(one["seq"], one["code"]) for one in findings] == [(3, "fork")]


def test_a_file_of_another_kiosk_is_not_checked_here(
    town: Central, kiosk: HomeAt, tmp_path: Path, clock: Clock
) -> None:
    other = HomeAt(town, "BBB1", tmp_path / "BBB1", KioskClock(clock))
    with refused("other_kiosk"):
        verify_file(other.export(), kiosk.home)
    other.close()
