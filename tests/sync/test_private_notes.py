"""Personal text at central: only where its record binds it, refused once, erased without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from kiosk.errors import OfficerFault
from kiosk.journal_format import commitment
from sync.central.models import case, journal_private
from sync.central.private_notes import REFUSED, erase
from sync.central.state import Central
from sync.wire import to_base64
from tests.sync.central_side import RICE, PlainKiosk

pytestmark = pytest.mark.anyio

SALT = b"salt of 16 bytes"
SECRET = "ibu dari anak itu"


def note_of(seq: int, text: str = SECRET, salt: bytes = SALT) -> dict[str, object]:
    return {"seq": seq, "salt": to_base64(salt), "text": text}


def bound(kiosk: PlainKiosk, text: str = SECRET) -> None:
    """Appends a record that binds a text."""
    kiosk.record(type="note", collector_commitment=commitment(SALT, text))


def texts(central: Central) -> dict[int, str | None]:
    with central.database.read() as connection:
        query = select(journal_private.c.seq, journal_private.c.text)
        return {row.seq: row.text for row in connection.execute(query)}


def cases(central: Central) -> list[tuple[str, list[str]]]:
    with central.database.read() as connection:
        rows = connection.execute(select(case.c.code, case.c.refs).order_by(case.c.id))
        return [(row.code, json.loads(row.refs)) for row in rows]


async def test_text_that_its_record_binds_is_kept(central: Central, keeper: PlainKiosk) -> None:
    bound(keeper)
    bound(keeper, "dengan \x00 di dalam")
    answer = await keeper.push(private=[note_of(1), note_of(2, "dengan \x00 di dalam")])
    assert (answer.status, answer.acked_seq, answer.conflicts) == ("ok", 2, [])
    assert texts(central) == {1: SECRET, 2: "dengan \ufffd di dalam"}
    await keeper.push(private=[note_of(1)])
    assert texts(central)[1] == SECRET


@pytest.mark.parametrize(
    ("text", "salt"), [("orang lain", SALT), (SECRET, b"another salt 16b"), (SECRET, b""), ("", b"")]
)
async def test_text_that_no_record_binds_is_refused_and_said_once(
    central: Central, keeper: PlainKiosk, text: str, salt: bytes
) -> None:
    bound(keeper)
    wrong = [note_of(1, text, salt)]
    answer = await keeper.push(private=wrong)
    assert (answer.status, answer.acked_seq) == ("ok", 1)  # the record itself is a fact
    assert [(one.code, one.refs) for one in answer.conflicts] == [(REFUSED, ["AAA1-0001"])]
    again = await keeper.push(private=wrong)
    assert again.conflicts == []
    assert (texts(central), cases(central)) == ({}, [(REFUSED, ["AAA1-0001"])])
    assert SECRET not in str(cases(central))
    assert (await keeper.push(private=[note_of(1)])).conflicts == []
    assert texts(central) == {1: SECRET}  # the true one is still taken


async def test_text_for_a_record_that_binds_none_is_refused(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    answer = await keeper.push(private=[note_of(1)])
    assert [one.code for one in answer.conflicts] == [REFUSED]
    assert texts(central) == {}


async def test_text_that_comes_after_its_record_is_checked_too(central: Central, keeper: PlainKiosk) -> None:
    bound(keeper)
    bound(keeper)
    await keeper.push()
    keeper.note()
    answer = await keeper.push(3, private=[note_of(1), note_of(2, "lain")])
    assert [one.refs for one in answer.conflicts] == [["AAA1-0002"]]
    assert texts(central) == {1: SECRET}


async def test_text_of_a_record_that_has_not_come_waits_for_it(central: Central, keeper: PlainKiosk) -> None:
    bound(keeper)
    bound(keeper)
    answer = await keeper.push(2, private=[note_of(2)])
    assert (answer.status, answer.conflicts) == ("gap", [])
    assert texts(central) == {}
    await keeper.push(private=[note_of(1), note_of(2)])
    assert texts(central) == {1: SECRET, 2: SECRET}


async def test_text_of_a_forks_other_side_is_checked_against_that_side(
    central: Central, keeper: PlainKiosk
) -> None:
    copy = keeper.copy()
    keeper.note()
    bound(copy)
    await keeper.push()
    answer = await copy.push(private=[note_of(1)])
    assert (answer.status, [one.code for one in answer.conflicts]) == ("fork", ["fork"])
    assert texts(central) == {1: SECRET}


async def test_erasing_takes_text_and_salt_and_nothing_brings_them_back(
    central: Central, keeper: PlainKiosk
) -> None:
    ref = keeper.dispense(collector_commitment=commitment(SALT, SECRET))
    keeper.void(ref, collector_commitment=commitment(SALT, "salah orang"))
    bound(keeper, "yang lain")
    notes = [note_of(1), note_of(2, "salah orang"), note_of(3, "yang lain")]
    await keeper.push(private=notes)
    assert erase(central, ref) == 2
    assert texts(central) == {1: None, 2: None, 3: "yang lain"}
    with central.database.read() as connection:
        salts = connection.execute(select(journal_private.c.salt).order_by(journal_private.c.seq)).scalars()
        assert [bytes(salt) for salt in salts] == [b"", b"", SALT]
    assert (await keeper.push(private=notes)).conflicts == []
    assert texts(central) == {1: None, 2: None, 3: "yang lain"}
    assert erase(central, ref) == 0
    keeper.note()
    assert (await keeper.push(4)).acked_seq == 4  # the chain goes on


async def test_text_that_comes_after_it_was_erased_finds_no_place(
    central: Central, keeper: PlainKiosk
) -> None:
    bound(keeper)
    await keeper.push()
    assert erase(central, "AAA1-0001") == 0
    await keeper.push(private=[note_of(1)])
    assert texts(central) == {1: None}


@pytest.mark.parametrize("ref", ["AAA1-0002", "BBB1-0001", "AAA1.2-0001", "AAA1", "", RICE])
async def test_what_is_not_here_cannot_be_erased(central: Central, keeper: PlainKiosk, ref: str) -> None:
    bound(keeper)
    await keeper.push()
    with pytest.raises(OfficerFault) as fault:
        erase(central, ref)
    assert fault.value.code == "unknown_ref"


async def test_nothing_of_it_is_left_in_the_database_file(
    central: Central, keeper: PlainKiosk, tmp_path: Path
) -> None:
    if not central.database.is_sqlite:
        return  # PostgreSQL keeps dead rows until its next vacuum
    bound(keeper)
    await keeper.push(private=[note_of(1)])
    assert SECRET.encode() in files_of(central, tmp_path)
    erase(central, "AAA1-0001")
    assert SECRET.encode() not in files_of(central, tmp_path)


def files_of(central: Central, folder: Path) -> bytes:
    """The database's bytes once its log is folded in."""
    with central.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"".join(path.read_bytes() for path in folder.glob("central.db*"))
