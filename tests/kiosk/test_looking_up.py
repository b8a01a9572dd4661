"""A card of another point: painted at once, looked up at central, and changed in place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosk import lookups
from kiosk.clock import unix_ms
from kiosk.errors import CardFault, CentralFault
from kiosk.feed_rows import COLUMNS
from kiosk.ports import LookupWord
from kiosk.values import StateCode
from tests.kiosk.counter_world import World

ELSEWHERE = 5


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An enrolled kiosk that is online."""
    made = World(tmp_path)
    made.set_online(True)
    yield made
    made.counter.close()
    made.caches.close()


def holder_row(holder_id: int = ELSEWHERE, **changes: Any) -> tuple[Any, ...]:
    """A holder of point 2."""
    values: dict[str, Any] = {
        "id": holder_id,
        "card_no": f"700000000{holder_id}",
        "issue_no": 1,
        "name": "EVI UTAMI",
        "birth": "1988-01-02",
        "nik_last4": "1234",
        "nik_hash": "",
        "family_id": 0,
        "point_id": 2,
        "status": "active",
    }
    return tuple((values | changes)[name] for name in COLUMNS["holder"])


def bring(world: World, **kinds: list[tuple[Any, ...]]) -> None:
    """What the source of rights does with central's answer."""
    entitled = (50, 1, f"h{ELSEWHERE}", "beras", 10_000, "2025-01-01", None, "active")
    rows = {"holder": [holder_row()], "entitlement": [entitled]} | kinds
    with world.cache.writing() as connection:
        lookups.put(connection, ELSEWHERE, f"700000000{ELSEWHERE}", rows, unix_ms(world.clock.now()))


def fault_of(world: World, holder_id: int = ELSEWHERE) -> CardFault:
    """What a tap ends in."""
    with pytest.raises(CardFault) as caught:
        world.counter.read(world.card(holder_id))
    return caught.value


def test_a_card_from_elsewhere_is_painted_at_once_and_changes_in_place(world: World) -> None:
    visit = world.counter.read(world.card(ELSEWHERE))
    assert (visit.asking, visit.holder_id, visit.rows, visit.public_name) == (True, 0, (), "")
    (future,) = world.counter.look_up(visit)
    assert world.counter.look_up(visit) == [future]
    assert world.rights.looked_up == [f"700000000{ELSEWHERE}"]
    assert world.counter.refresh(visit) == visit
    bring(world)
    future.set_result(LookupWord("found"))
    found = world.counter.refresh(visit)
    assert (found.visit_id, found.asking, found.full_name) == (visit.visit_id, False, "EVI UTAMI")
    (row,) = found.rows
    assert (row.state.code, row.state.place) == (StateCode.HELD_ELSEWHERE, "Kelurahan Hadimulyo")
    # An officer's tap then fetches the right, as for any holder whose right lies elsewhere.
    rina = world.sign_in()
    again = world.counter.read(world.card(ELSEWHERE), rina)
    assert again.rows[0].state.code is StateCode.CHECKING
    assert len(world.counter.acquire(again, rina)) == 1


def test_offline_it_says_that_the_network_is_needed(world: World) -> None:
    world.set_online(False)
    fault = fault_of(world)
    assert (fault.code, fault.detail) == ("card_from_elsewhere", {"why": "offline"})
    with pytest.raises(CardFault) as caught:
        world.counter.read_typed(f"700000000{ELSEWHERE}", world.sign_in(), "chip rusak")
    assert caught.value.code == "card_unknown_holder"


def test_a_denied_card_is_refused_without_asking(world: World) -> None:
    world.put("denied_card", f"700000000{ELSEWHERE}", 1, "lost", "2026-11-01")
    assert fault_of(world).code == "card_lost"
    assert world.rights.looked_up == []


@pytest.mark.parametrize(
    ("word", "code", "why"),
    [
        (LookupWord("unknown"), "card_unknown_holder", None),
        (LookupWord("refused", "card_superseded"), "card_superseded", None),
        (LookupWord("refused", "drop table"), "card_revoked", None),
        (CentralFault("central_unreachable"), "card_from_elsewhere", "offline"),
        (CentralFault("lookup_too_often", signed=True), "card_from_elsewhere", "busy"),
        (TimeoutError(), "card_from_elsewhere", "offline"),
    ],
)
def test_each_end_of_a_lookup_has_its_words(
    world: World, word: LookupWord | Exception, code: str, why: str | None
) -> None:
    visit = world.counter.read(world.card(ELSEWHERE))
    (future,) = world.counter.look_up(visit)
    if isinstance(word, Exception):
        future.set_exception(word)
    else:
        future.set_result(word)
    for _ in range(2):
        with pytest.raises(CardFault) as caught:
            world.counter.refresh(visit)
        assert (caught.value.code, caught.value.detail.get("why")) == (code, why)


def test_what_was_looked_up_is_there_offline_until_it_is_old(world: World) -> None:
    bring(world)
    world.clock.go_on(timedelta(hours=20))
    world.set_online(False)
    visit = world.counter.read(world.card(ELSEWHERE))
    assert (visit.full_name, visit.asking) == ("EVI UTAMI", False)
    assert visit.data_as_of == "2026-11-20T09:00:00+07:00"  # of the lookup, not of the last sync
    world.clock.go_on(timedelta(hours=5))
    assert fault_of(world).code == "card_from_elsewhere"


def test_a_card_tapped_again_is_asked_for_again_after_a_while(world: World) -> None:
    bring(world)
    world.clock.go_on(timedelta(seconds=30))
    world.set_online(True)
    assert not world.counter.read(world.card(ELSEWHERE)).asking
    world.clock.go_on(timedelta(seconds=40))
    world.set_online(True)
    visit = world.counter.read(world.card(ELSEWHERE))
    assert (visit.asking, visit.full_name) == (True, "EVI UTAMI")
    (future,) = world.counter.look_up(visit)
    assert world.counter.refresh(visit).asking
    bring(world, holder=[holder_row(name="EVI BARU")])
    future.set_result(LookupWord("found"))
    fresh = world.counter.refresh(visit)
    assert (fresh.full_name, fresh.asking) == ("EVI BARU", False)


def test_without_an_answer_a_known_card_stays_as_it_was(world: World) -> None:
    bring(world)
    world.clock.go_on(timedelta(minutes=5))
    world.set_online(True)
    visit = world.counter.read(world.card(ELSEWHERE))
    (future,) = world.counter.look_up(visit)
    future.set_exception(CentralFault("central_unreachable"))
    assert world.counter.refresh(visit).full_name == "EVI UTAMI"


def test_a_family_or_guardian_from_elsewhere_is_asked_about(world: World) -> None:
    assert not world.counter.read(world.card()).asking
    world.put("family", 7, 1, 90, 2)
    visit = world.counter.read(world.card())
    assert (visit.asking, visit.holder_id) == (True, 1)
    world.cache.db.conn.execute('DELETE FROM "family"')
    world.put("guardian", 1, 1, 91, "mother", "2020-01-01", None, None)
    visit = world.counter.read(world.card())
    assert (visit.asking, visit.guardians) == (True, ())
    (future,) = world.counter.look_up(visit)
    mother = holder_row(91, card_no="", name="IBU DARI JAUH", birth="")
    with world.cache.writing() as connection:
        rows = {"holder": [holder_row(1, name="NOT THE FEED'S"), mother]}
        lookups.put(connection, 1, "7000000001", rows, unix_ms(world.clock.now()))
    future.set_result(LookupWord("found"))
    visit = world.counter.refresh(visit)
    assert [person.name for person in visit.guardians] == ["IBU DARI JAUH"]
    assert visit.full_name == "SITI RAHAYU"  # what the feed says of its own is not overwritten
    assert not world.counter.read(world.card()).asking  # asked a moment ago


def test_a_visit_that_ends_takes_its_question_back(world: World) -> None:
    visit = world.counter.read(world.card(ELSEWHERE))
    (future,) = world.counter.look_up(visit)
    world.counter.leave(visit)
    assert future.cancelled()
    assert world.counter.look_up(visit) == []


def test_lookups_are_aged_out_and_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = unix_ms(world.clock.now())
    monkeypatch.setattr(lookups, "MOST_KEPT", 2)
    with world.cache.writing() as connection:
        for number, age_h in ((11, 30), (12, 3), (13, 2), (14, 1), (15, -30)):
            row = holder_row(number, card_no=f"80{number}")
            lookups.put(connection, number, f"80{number}", {"holder": [row]}, now_ms - age_h * 3_600_000)
        assert lookups.age_out(connection, now_ms) == 3
        assert not lookups.are_old(connection, now_ms)
    kept = world.cache.rows("SELECT id FROM \"holder\" WHERE bucket LIKE 'x%' ORDER BY id")
    assert [row[0] for row in kept] == [13, 14]
    with world.cache.writing() as connection:
        lookups.forget_card(connection, "8013")
    assert world.cache.holder(13) is None
    assert world.cache.holder(1)


def test_progress_of_a_load_is_in_the_status(world: World) -> None:
    assert world.counter.status().loading is None
    world.caches.note_progress(37)
    assert world.counter.status().loading == 37
    world.caches.note_progress(None)
    assert world.counter.status().loading is None
