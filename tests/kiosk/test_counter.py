"""The counter on real files: tap, states, pickups, voids, who may do what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kiosk.errors import CardFault, OfficerFault
from kiosk.journal_walk import list_records, verify_journal
from kiosk.ports import RightWord
from kiosk.values import Checks, Collector, Medium, StateCode
from tests.kiosk.counter_world import PIN, SUPERVISOR, World, program


def test_a_tap_shows_name_and_programs_offline(world: World) -> None:
    world.take_in(world.grant())
    visit = world.counter.read(world.card())
    assert visit.public_name == "SITI R•••••"
    assert [(row.program_id, row.state.code) for row in visit.rows] == [("beras", StateCode.READY)]
    assert visit.rows[0].quantity_text.id == "10 kg"
    assert (visit.rows[0].unit, visit.rows[0].per_display, visit.rows[0].display.id) == ("g", 1000, "kg")


def test_a_qr_read_shows_no_name_and_has_the_lower_grade(world: World) -> None:
    visit = world.counter.read(world.card(medium=Medium.QR))
    assert (visit.public_name, visit.grade.label) == ("", "p0")


def test_a_pickup_is_recorded_once_and_then_taken(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    pickup = world.confirm(rina)
    state = world.state()
    assert (pickup.ref, pickup.voided, pickup.shown, pickup.synced) == ("IRM1-0002", False, False, False)
    assert (state.code, state.date, state.place, state.by) == (
        StateCode.TAKEN,
        "2026-11-20",
        "Kelurahan Iringmulyo",
        "IRM1-0002",
    )
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina)
    assert refused.value.code == "already_taken"
    assert world.ledger.waiting() == 3  # sign-in, pickup, refusal
    assert verify_journal(world.ledger)["intact"]


def test_without_the_right_nothing_leaves_and_the_refusal_is_recorded(world: World) -> None:
    world.put("right", "h1/beras/2026-11", "HDM1", 2, 10_000, 0, None, None, None)
    rina = world.sign_in()
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina)
    assert (refused.value.code, refused.value.detail["place"]) == ("held_elsewhere", "Kelurahan Hadimulyo")
    newest = list_records(world.ledger, last=1)[0]
    assert (newest["type"], newest["right"]) == ("refusal", "h1/beras/2026-11")


def test_what_another_kiosk_handed_out_is_shown_as_taken(world: World) -> None:
    world.put("right", "h1/beras/2026-11", "HDM1", 2, 10_000, 10_000, "2026-11-03T09:12:00", 2, "HDM1-0007")
    state = world.state()
    assert (state.code, state.date, state.place) == (StateCode.TAKEN, "2026-11-03", "Kelurahan Hadimulyo")


def test_a_void_makes_the_right_spendable_here_again(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    pickup = world.confirm(rina)
    voided = world.counter.void(pickup.ref, "never_left", "salah orang", rina)
    assert voided.voided
    assert world.state().code is StateCode.READY
    assert world.confirm(rina).ref == "IRM1-0004"
    with pytest.raises(OfficerFault) as refused:
        world.counter.void(pickup.ref, "never_left", "lagi", rina)
    assert refused.value.code == "already_voided"


def test_an_officer_voids_for_ten_minutes_then_a_supervisor(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    ref = world.confirm(rina).ref
    world.clock.go_on(timedelta(minutes=11))
    with pytest.raises(OfficerFault) as refused:
        world.counter.void(ref, "returned", "rusak", rina)
    assert (refused.value.code, refused.value.detail["why"]) == ("supervisor_needed", "too_late")
    assert world.counter.void(ref, "returned", "rusak", world.sign_in(SUPERVISOR)).voided


def test_nobody_confirms_without_a_session_of_this_counter(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    world.counter.sign_out(rina)
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina)
    assert refused.value.code == "not_signed_in"


def test_wrong_pins_are_delayed_and_the_delay_outlives_a_restart(world: World) -> None:
    for _ in range(3):
        with pytest.raises(OfficerFault) as refused:
            world.counter.sign_in("rina", "111222")
        assert refused.value.code == "wrong_pin"
    again = world.open_counter()
    with pytest.raises(OfficerFault) as refused:
        again.sign_in("rina", PIN)
    assert (refused.value.code, refused.value.detail["wait_s"]) == ("locked_out", 2.0)
    world.clock.boot, world.clock.mono = "boot-2", 1000
    with pytest.raises(OfficerFault):
        again.sign_in("rina", PIN)
    world.clock.go_on(timedelta(seconds=3))
    assert again.sign_in("rina", PIN).name == "RINA"
    again.close()


def test_officers_are_forgotten_after_thirty_days_without_sync(world: World) -> None:
    world.clock.go_on(timedelta(days=31))
    with pytest.raises(OfficerFault) as refused:
        world.sign_in()
    assert refused.value.code == "officer_stale"


def test_a_family_benefit_is_one_right_for_two_members(world: World) -> None:
    world.put_holder(2, "AHMAD", family=7)
    world.put_program(program("beras-keluarga", subject="family"))
    world.entitle(2, "f7", "beras-keluarga", 10_000)
    world.take_in(world.grant("f7/beras-keluarga/2026-11"))
    rina = world.sign_in()
    world.confirm(rina, "beras-keluarga", holder_id=1)
    assert world.state("beras-keluarga", holder_id=2).code is StateCode.TAKEN
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina, "beras-keluarga", holder_id=2)
    assert refused.value.code == "already_taken"


def test_of_two_programs_that_exclude_each_other_one_closes_both(world: World) -> None:
    for number, name in ((2, "pupuk"), (3, "benih")):
        world.put_program(program(name, right_group="musim-tanam"))
        world.entitle(number, "h1", name, 50_000 if name == "pupuk" else 5_000)
    world.take_in(world.grant("h1/musim-tanam/2026-11", quantity=50_000))
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    offered = {row.program_id: row.quantity for row in visit.rows if row.program_id != "beras"}
    assert offered == {"pupuk": 50_000, "benih": 5_000}
    world.confirm(rina, "benih", 5_000)
    assert world.state("pupuk").code is StateCode.TAKEN
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina, "pupuk", 50_000)
    assert refused.value.code == "already_taken"


def test_a_new_month_needs_its_own_right(world: World) -> None:
    world.take_in(world.grant())
    world.take_in(
        world.grant("h1/beras/2026-12", not_before=1796058000, not_after=1798736400)  # December, Jakarta
    )
    rina = world.sign_in()
    world.confirm(rina)
    world.clock.go_on(timedelta(days=12))
    rina = world.sign_in()
    assert world.state().code is StateCode.READY
    assert world.confirm(rina).ref == "IRM1-0004"


def test_partial_programs_keep_the_rest_and_others_close_with_a_reason(world: World) -> None:
    world.put_program(program("makanan", partial=True))
    world.entitle(2, "h1", "makanan", 14)
    world.take_in(world.grant("h1/makanan/2026-11", quantity=14))
    world.take_in(world.grant())
    rina = world.sign_in()
    world.confirm(rina, "makanan", 5)
    visit = world.counter.read(world.card(), rina)
    assert {row.program_id: row.quantity for row in visit.rows}["makanan"] == 9
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina, "beras", 4_000)
    assert refused.value.code == "reason_missing"
    world.confirm(rina, "beras", 4_000, reason="stok kurang")
    assert world.state("beras").code is StateCode.TAKEN


def test_only_who_may_collect_does(world: World) -> None:
    world.put_program(program("susu", collectors=["guardian"]))
    world.put_holder(2, "DEWI")
    world.put_holder(3, "TONO")
    world.entitle(2, "h1", "susu", 1)
    world.take_in(world.grant("h1/susu/2026-11", quantity=1))
    world.put("guardian", 1, 1, 2, "mother", "2025-01-01", None, None)
    world.put("guardian", 2, 1, 3, "uncle", "2025-01-01", None, "2026-01-01")
    rina = world.sign_in()
    for collector in (Collector(), Collector("guardian", 3), Collector("representative", 0, "X", "1")):
        with pytest.raises(OfficerFault) as refused:
            world.confirm(rina, "susu", 1, collector=collector)
        assert refused.value.code == "collector"
    assert world.confirm(rina, "susu", 1, collector=Collector("guardian", 2, "DEWI")).ref
    assert [p.name for p in world.counter.read(world.card()).guardians] == ["DEWI"]


def test_documents_and_grades_are_checked_again_at_the_record(world: World) -> None:
    world.put_program(program("uang", documents=["ktp"], least_grade="p1", officer_check_lifts=True))
    world.entitle(2, "h1", "uang", 1000)
    world.take_in(world.grant("h1/uang/2026-11", quantity=1000))
    rina = world.sign_in()
    visit = world.counter.read(world.card(medium=Medium.QR), rina)
    attempts = (
        (Checks(), "grade_too_low"),
        (Checks(photo_and_ktp=True), "documents"),
        (Checks(("ktp",)), "grade_too_low"),
    )
    for checks, code in attempts:
        with pytest.raises(OfficerFault) as refused:
            world.counter.confirm(visit, "uang", 1000, Collector(), checks, rina)
        assert refused.value.code == code
    assert world.counter.confirm(visit, "uang", 1000, Collector(), Checks(("ktp",), True), rina).ref


def test_cards_that_are_genuine_but_not_to_be_served(world: World) -> None:
    world.put_holder(4, "LAMA", issue=2)
    world.put_holder(5, "MATI", status="deceased")
    world.put("denied_card", "7000000001", 1, "stolen", "2026-11-01")
    expected = {1: "card_stolen", 4: "card_superseded", 5: "card_deceased", 9: "card_from_elsewhere"}
    for holder_id, code in expected.items():
        with pytest.raises(CardFault) as refused:
            world.counter.read(world.card(holder_id))
        assert refused.value.code == code


def test_a_newer_card_than_the_cache_knows_makes_the_older_one_useless(world: World) -> None:
    world.counter.read(world.card(issue=3))
    with pytest.raises(CardFault) as refused:
        world.counter.read(world.card(issue=1))
    assert refused.value.code == "card_superseded"


def test_a_right_asked_for_shows_checking_and_then_ready(world: World) -> None:
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    assert visit.rows[0].state.code is StateCode.CHECKING
    (future,) = world.counter.acquire(visit, rina)
    assert world.rights.asked == [["h1/beras/2026-11"]]
    assert world.counter.refresh(visit, rina).rows[0].state.code is StateCode.CHECKING
    world.take_in(world.grant(), acquired=True)
    world.rights.futures[0].set_result({"h1/beras/2026-11": RightWord("h1/beras/2026-11", "granted")})
    assert future.done()
    assert world.counter.refresh(visit, rina).rows[0].state.code is StateCode.READY


def test_no_right_moves_without_an_officer_or_to_a_point_that_does_not_serve(world: World) -> None:
    world.set_online(True)
    visit = world.counter.read(world.card())
    with pytest.raises(OfficerFault, match="not_signed_in"):
        world.counter.acquire(visit, replace(world.sign_in(), username="nobody"))
    world.put_program(program(points=[2]))
    rina = world.sign_in()
    assert world.counter.acquire(world.counter.read(world.card(), rina), rina) == []
    assert world.rights.asked == []


def test_an_acquired_right_goes_back_if_the_visit_ends_without_a_pickup(world: World) -> None:
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    world.counter.acquire(visit, rina)
    world.take_in(world.grant(), acquired=True)
    world.rights.futures[0].set_result({})
    world.counter.leave(visit)
    newest = list_records(world.ledger, last=1)[0]
    assert (newest["type"], newest["detail"]["upto"]) == ("release", [1, 1])
    assert not world.ledger.rights(["h1/beras/2026-11"])["h1/beras/2026-11"].held


def test_a_placed_right_stays_when_a_visit_ends(world: World) -> None:
    world.take_in(world.grant())
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    assert world.counter.acquire(visit, rina) == []
    world.counter.leave(visit)
    assert world.ledger.rights(["h1/beras/2026-11"])["h1/beras/2026-11"].held


def test_when_central_fails_the_row_says_so(world: World) -> None:
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    world.counter.acquire(visit, rina)
    world.rights.futures[0].set_exception(TimeoutError())
    assert world.counter.refresh(visit, rina).rows[0].state.code is StateCode.NEEDS_NETWORK


def test_a_pickup_nobody_saw_is_asked_about_and_can_be_answered_both_ways(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    seen = world.confirm(rina)
    assert [pickup.ref for pickup in world.counter.unshown()] == [seen.ref]
    world.counter.answer_unshown(seen.ref, False, rina)
    assert world.counter.unshown() == []
    assert world.state().code is StateCode.READY
    second = world.confirm(rina)
    world.counter.answer_unshown(second.ref, True, rina)
    assert world.counter.unshown() == []
    assert world.state().code is StateCode.TAKEN


def test_a_typed_number_is_off_unless_the_program_allows_it(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    with pytest.raises(OfficerFault) as refused:
        world.counter.read_typed("7000000001", rina, " ")
    assert refused.value.code == "reason_missing"
    visit = world.counter.read_typed("7000000001", rina, "kartu rusak")
    assert (visit.grade.label, visit.rows[0].state.code) == ("typed", StateCode.GRADE_TOO_LOW)


def test_a_clock_behind_what_was_recorded_is_in_doubt(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    world.clock.at -= timedelta(days=3)
    world.clock.boot = "boot-2"
    assert world.state().code is StateCode.DATE_IN_DOUBT
    assert "date_in_doubt" in world.counter.status().warnings
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina)
    assert refused.value.code == "date_in_doubt"


def test_showing_a_birth_date_is_recorded(world: World) -> None:
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    assert world.counter.reveal(visit, "birth", rina) == "1980-05-03"
    assert list_records(world.ledger, last=1)[0]["type"] == "reveal"


def test_no_personal_text_is_in_the_chain(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    collector = Collector("representative", 0, "WAHYU SANTOSO", "SK/17")
    ref = world.confirm(rina, collector=collector).ref
    world.counter.void(ref, "returned", "TETANGGA MARAH", rina)
    chain = b"".join(
        bytes(row[0]) for row in world.ledger.db.conn.execute("SELECT record FROM journal").fetchall()
    )
    for personal in (b"WAHYU", b"SK/17", b"TETANGGA", b"SITI"):
        assert personal not in chain
    kept = world.ledger.db.conn.execute("SELECT text FROM journal_private ORDER BY seq").fetchall()
    assert "WAHYU SANTOSO" in kept[0][0]
    assert "TETANGGA MARAH" in kept[1][0]
    world.ledger.db.conn.execute("UPDATE journal_private SET text = NULL")
    assert verify_journal(world.ledger)["intact"]
