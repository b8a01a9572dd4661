"""Enrolment: tickets, generations, and what a kiosk is handed."""

from __future__ import annotations

import httpx
import pytest

from kiosk import enrolment
from kiosk.keyset import open_keyset
from sync.central import kiosk_rows
from sync.central.state import Central
from sync.wire import from_base64
from tests.sync.central_side import NEXT_RICE, RICE, Clock, PlainKiosk, place

pytestmark = pytest.mark.anyio


async def test_a_ticket_makes_a_kiosk(central: Central, fresh: PlainKiosk) -> None:
    ticket = kiosk_rows.new_ticket(central, "AAA1")
    response = await fresh.enrol_with(ticket)
    body = response.json()
    roots = (from_base64(body["roots"][0]), from_base64(body["roots"][1]))
    assert enrolment.ticket_fingerprint_holds(ticket, roots[0])
    keyset = open_keyset(from_base64(body["keyset"]), roots)
    found = enrolment.open_enrolment(from_base64(body["enrolment"]), keyset)
    assert (found.kiosk, found.gen, found.point, str(found.mode)) == ("AAA1", 1, 1, "demonstration")
    assert found.public == from_base64(fresh.public())
    assert len(from_base64(body["pepper"])) == 32
    fresh.keyset = keyset
    fresh.check_seal(response)


async def test_a_lost_answer_can_be_had_again_and_nobody_elses(central: Central, fresh: PlainKiosk) -> None:
    ticket = kiosk_rows.new_ticket(central, "AAA1")
    first = await fresh.enrol_with(ticket.lower())
    again = await fresh.enrol_with(ticket)
    assert again.json() == first.json()
    thief = PlainKiosk(fresh.http, fresh.clock)
    refused = await thief.enrol_with(ticket)
    assert (refused.status_code, refused.json()["code"]) == (403, "ticket_used")


@pytest.mark.parametrize(
    ("ticket", "code"),
    [
        ("", "body_invalid"),
        ("x" * 65, "body_invalid"),
        ("nonsense", "ticket_malformed"),
        ("AAAA-BBBB-CCCC-DDDD-00000000", "ticket_foreign"),
        ("AAAA-BBBB-CCCC-DDDD-", "ticket_unknown"),
    ],
)
async def test_other_tickets_are_told_apart(
    central: Central, fresh: PlainKiosk, ticket: str, code: str
) -> None:
    if code == "ticket_unknown":
        ticket += kiosk_rows.new_ticket(central, "AAA1")[-8:]
    response = await fresh.enrol_with(ticket)
    assert (response.status_code, response.json()["code"]) == (422 if code == "body_invalid" else 403, code)


async def test_a_ticket_grows_too_old(central: Central, fresh: PlainKiosk, clock: Clock) -> None:
    ticket = kiosk_rows.new_ticket(central, "AAA1")
    clock.now += kiosk_rows.TICKET_HOURS * 3600
    assert (await fresh.enrol_with(ticket)).json()["code"] == "ticket_expired"


async def test_enrolment_is_signed_by_the_key_it_brings(central: Central, fresh: PlainKiosk) -> None:
    ticket = kiosk_rows.new_ticket(central, "AAA1")
    body = {"ticket": ticket, "public": PlainKiosk(fresh.http, fresh.clock).public()}
    response = await fresh.send("POST", "/v1/enrol", body, "enrol")
    assert (response.status_code, response.json()["code"]) == (401, "bad_signature")


async def test_a_new_generation_puts_old_grants_in_doubt(
    central: Central, keeper: PlainKiosk, http: httpx.AsyncClient, clock: Clock
) -> None:
    assert {keeper.open(one).right for one in (await keeper.poll()).grants} >= {RICE, NEXT_RICE}
    renewed = await PlainKiosk(http, clock).enrol(central, "AAA1")
    assert renewed.gen == 2
    place(central)
    assert (await renewed.poll()).grants == []
    assert (await renewed.acquire(RICE))[0].status == "held"
    stale = await keeper.send("POST", "/v1/poll", {"gen": 1})
    assert (stale.status_code, stale.json()["code"]) == (403, "stale_gen")
    # What the old generation handed out still counts, and its own releases free its rights.
    keeper.dispense()
    keeper.release("h2/beras/2026-11")
    answer = await keeper.push()
    assert (answer.status, answer.acked_seq, answer.conflicts) == ("stale_gen", 2, [])
    assert (await renewed.acquire(RICE))[0].status == "taken"
    assert (await renewed.acquire("h2/beras/2026-11"))[0].status == "granted"


async def test_a_key_begins_one_generation_only(central: Central, keeper: PlainKiosk) -> None:
    response = await keeper.enrol_with(kiosk_rows.new_ticket(central, "AAA2"))
    assert response.json()["code"] == "key_used"


async def test_a_revoked_kiosk_may_push_and_nothing_else(central: Central, keeper: PlainKiosk) -> None:
    kiosk_rows.revoke(central, "AAA1")
    for method, path, body in (
        ("POST", "/v1/rights", {"rights": [RICE]}),
        ("GET", "/v1/changes", None),
    ):
        response = await keeper.send(method, path, body)
        assert (response.status_code, response.json()["code"]) == (403, "kiosk_revoked")
        keeper.check_seal(response)
    keeper.dispense()
    assert (await keeper.push()).acked_seq == 1
